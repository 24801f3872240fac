internal import ControlClient
internal import Glibc
internal import NodeManager
internal import Settings

/// What the settings come to, checked.
struct NodePlan {
    let server: ControlAddress
    let credentials: ControlCredentials?
    let storePath: String
    let configuration: NodeManager.Configuration
    /// The directories to spill to; none for no spilling.
    let spillPaths: [String]
    /// How full their file systems may become: a fraction.
    let fileSystemMax: Double

    /// The channel on which others ask this node for something.
    var channel: String { "NODE:\(configuration.nodeID)" }

    init(_ settings: NodeSettings) throws(SettingError) {
        guard let server = ControlAddress(settings.gcsAddress) else {
            throw SettingError(
                name: "gcs-address",
                reason: .value("expected host:port or a path, found '\(settings.gcsAddress)'"))
        }
        self.server = server
        guard settings.gcsUsername.isEmpty || !settings.gcsPassword.isEmpty else {
            throw SettingError(
                name: "gcs-username", reason: .value("a user needs a gcs-password"))
        }
        let username = settings.gcsUsername.isEmpty ? nil : settings.gcsUsername
        credentials =
            settings.gcsPassword.isEmpty
            ? nil : ControlCredentials(username: username, password: settings.gcsPassword)
        storePath = settings.storeSocketPath
        spillPaths = settings.spillDirectories.split(separator: ",").map { path in
            String(path.drop { $0 == " " }.reversed().drop { $0 == " " || $0 == "/" }.reversed())
        }
        fileSystemMax = settings.fileSystemMax
        var configuration = NodeManager.Configuration(
            nodeID: settings.nodeID.isEmpty ? Self.hostName() : settings.nodeID,
            address: settings.nodeAddress, storePath: settings.storeSocketPath)
        if !spillPaths.isEmpty { configuration.spilling = Self.spilling(settings) }
        self.configuration = configuration
    }

    private static func spilling(_ settings: NodeSettings) -> NodeManager.SpillConfiguration {
        var spilling = NodeManager.SpillConfiguration()
        spilling.threshold = settings.spillThreshold
        spilling.fileByteCountMin = Int64(settings.spillFileByteCountMin)
        spilling.fileObjectCountMax = settings.spillFileObjectCountMax
        spilling.grace = settings.spillGrace
        return spilling
    }

    /// The host name as a node id: other characters become hyphens, at most 64 stay.
    private static func hostName() -> String {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return "node" }
        let name = buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
        let valid = name.prefix(64).map { byte in
            switch byte {
            case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: ":"), UInt8(ascii: "-"):
                byte
            default: UInt8(ascii: "-")
            }
        }
        return valid.isEmpty ? "node" : String(decoding: valid, as: UTF8.self)
    }
}
