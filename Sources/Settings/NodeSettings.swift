/// The settings of `gcs-node`, the node manager; the initial values are the defaults.
public struct NodeSettings: Equatable, Sendable {
    /// `gcs-address`: where the server listens, as `ControlAddress` reads it.
    public var gcsAddress = "127.0.0.1:6379"
    /// `gcs-username`: the user to authenticate as, or empty.
    public var gcsUsername = ""
    /// `gcs-password`: the password, or empty for no authentication.
    public var gcsPassword = ""
    /// `store-socket`: the object store's unix socket.
    public var storeSocketPath = "/tmp/plasma"
    /// `node-id`: this node's name at the server; empty for the host name.
    public var nodeID = ""
    /// `node-address`: what the server tells others about how to reach this node.
    public var nodeAddress = ""
    /// `object-spilling-directory`: where to, separated by commas; empty for no spilling.
    public var spillDirectories = ""
    /// `object-spilling-threshold`: the part of the store's capacity.
    public var spillThreshold = 0.8
    /// `min-spilling-size`: bytes of a file.
    public var spillFileByteCountMin = 100 << 20
    /// `max-fused-object-count`: objects of a file.
    public var spillFileObjectCountMax = 2000
    /// `local-fs-capacity-threshold`: the part of a file system that may be full.
    public var fileSystemMax = 0.95
    /// `oom-grace-period-secs`: how long a create waits for room.
    public var spillGrace = Duration.seconds(10)
    /// `loglevel`: how much is logged.
    public var logLevel = LogLevel.notice
    /// `logfile`: where to, or empty for standard output.
    public var logFilePath = ""

    /// The defaults.
    public init() {}
}

extension NodeSettings {
    /// Every setting of `gcs-node`, declared once.
    public static let table = SettingTable(
        program: "gcs-node", file: "conf/gcs-node.conf", defaults: NodeSettings(),
        sections: [server, node, spilling, general])

    private static let server = SettingSection<NodeSettings>(
        "The server",
        [
            Setting(
                "gcs-address", \.gcsAddress, .text, isLive: false,
                docs: """
                    Where gcs-server listens: `host:port`, with an IPv6 address in brackets, or \
                    the path of a unix socket.
                    """),
            Setting(
                "gcs-username", \.gcsUsername, .text, isLive: false, example: "\"node\"",
                docs: "The user to authenticate as. Empty for the server's default user."),
            Setting(
                "gcs-password", \.gcsPassword, .text, isLive: false, example: "\"secret\"",
                docs: "The password. Empty does not authenticate."),
        ])

    private static let node = SettingSection<NodeSettings>(
        "This node",
        [
            Setting(
                "store-socket", \.storeSocketPath, .text, isLive: false,
                docs: "The unix socket of the object store on this machine."),
            Setting(
                "node-id", \.nodeID,
                .text("1 to 64 of `A-Z a-z 0-9 . _ : -`", refuse: refuseNodeID),
                isLive: false, example: "\"worker-1\"",
                docs: """
                    The name of this node at the server; it must stay the same when the node \
                    manager starts again. Empty takes the host name.
                    """),
            Setting(
                "node-address", \.nodeAddress, .text, isLive: false,
                example: "\"10.0.0.7:7000\"",
                docs: "How others reach this node; the server passes it on as it is."),
        ])

    private static let spilling = SettingSection<NodeSettings>(
        "Spilling objects to disk",
        [
            Setting(
                "object-spilling-directory", \.spillDirectories, .text, isLive: false,
                example: "\"/var/spill,/mnt/spill\"",
                docs: """
                    Where objects go that have no room in memory: a directory, or several, separated \
                    by commas, which take turns. Empty does not spill: the store evicts then. Needs \
                    our own store; with Arrow's nothing is spilled.
                    """),
            Setting(
                "object-spilling-threshold", \.spillThreshold, .fraction, isLive: false,
                docs: """
                    The part of the store's capacity that primary copies may take; above it those \
                    that nobody used for longest are written to disk. Secondary copies are evicted.
                    """),
            Setting(
                "min-spilling-size", \.spillFileByteCountMin, .byteCount(1...(1 << 40)),
                isLive: false,
                docs: """
                    Objects are written together into files of about this size, at most a quarter \
                    of the store's capacity.
                    """),
            Setting(
                "max-fused-object-count", \.spillFileObjectCountMax, .integer(1...1_000_000),
                isLive: false, docs: "The most objects that are written into one file."),
            Setting(
                "local-fs-capacity-threshold", \.fileSystemMax, .fraction, isLive: false,
                docs: """
                    The part of a directory's file system that may be full, as `df` counts it; \
                    above it nothing is written there, until there is room again.
                    """),
            Setting(
                "oom-grace-period-secs", \.spillGrace, .seconds(0...3600), isLive: false,
                docs: """
                    How long a create without room waits after the last room that spilling made, \
                    before the store refuses it.
                    """),
        ])

    private static let general = SettingSection<NodeSettings>(
        "General",
        [
            Setting(
                "loglevel", \.logLevel, .choice, isLive: false,
                docs: "How much is logged; each level includes those after it."),
            Setting(
                "logfile", \.logFilePath, .text, isLive: false,
                example: "\"/var/log/gcs/gcs-node.log\"",
                docs: "The file to log to. Empty logs to standard output."),
        ])

    private static let refuseNodeID: @Sendable (String) -> String? = { text in
        let isAllowed = text.utf8.count <= 64 && text.utf8.allSatisfy(isNodeIDByte)
        return isAllowed ? nil : "argument must be at most 64 characters of A-Z a-z 0-9 . _ : -"
    }

    private static func isNodeIDByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: ":"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
