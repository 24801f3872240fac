internal import ControlClient
internal import GCSClient
internal import RESP

/// A node as the server sees it.
struct NodeStatus: Encodable {
    /// How a node is, in the server's words.
    enum Status: String, Encodable {
        /// Its node manager was heard of lately.
        case alive
        /// Registered, and silent for longer than `node-timeout-secs`.
        case lost
        /// Only named in the locations of objects or by references.
        case unknown
    }

    var id: String
    var status: Status
    var address: String
    var store: String
    var objectCount: Int64?
    var byteCount: Int64?
    var lastSeenMilliseconds: Int64?
    /// The last deletion it carried out.
    var acknowledged: String
    /// Deletions it has not carried out; counted up to `behindCountMax`.
    var behindCount: Int64
    /// When the oldest of them was ordered.
    var behindSinceMilliseconds: Int64?

    /// Above it the deletions that a node has not carried out are not counted.
    static let behindCountMax: Int64 = 10_000

    enum CodingKeys: String, CodingKey {
        case id, status, address, store
        case objectCount = "objects"
        case byteCount = "bytes"
        case lastSeenMilliseconds = "last-seen-ms"
        case acknowledged
        case behindCount = "behind"
        case behindSinceMilliseconds = "behind-since-ms"
    }

    /// Reads an entry of GCS.NODE LIST.
    init(_ reply: ControlReply) {
        func text(_ name: String) -> String { reply[field: name]?.text ?? "" }
        func number(_ name: String) -> Int64? { reply[field: name]?.number }
        id = text("id")
        address = text("address")
        store = text("store")
        objectCount = number("objects")
        byteCount = number("bytes")
        // 0 for a node that was only named.
        lastSeenMilliseconds = number("last-seen-ms").flatMap { $0 > 0 ? $0 : nil }
        acknowledged = text("acknowledged")
        behindCount = 0
        status = Status(rawValue: text("status")) ?? .unknown
    }
}

extension NodeStatus {
    /// All nodes, in the order of their names.
    static func all(_ connection: BlockingControlConnection) throws -> [NodeStatus] {
        let list = try connection.command("GCS.NODE", "LIST").list()
        var nodes = list.map { NodeStatus($0) }
        let last = try connection.command("XREVRANGE", "gc:log", "+", "-", "COUNT", "1").list()
        for index in nodes.indices where nodes[index].status != .unknown {
            try nodes[index].countBehind(connection, last: last.first?.elements?.first?.text)
        }
        return nodes.sorted { $0.id < $1.id }
    }

    /// Counts the log's entries after the node's last acknowledgement.
    private mutating func countBehind(
        _ connection: BlockingControlConnection, last: String?
    ) throws {
        guard let last, last != acknowledged, !acknowledged.isEmpty else { return }
        let entries = try connection.command(
            "XRANGE", "gc:log", "(\(acknowledged)", "+", "COUNT", String(Self.behindCountMax)
        ).list()
        behindCount = Int64(entries.count)
        // The id of an entry starts with when it was made.
        let oldest = entries.first?.elements?.first?.text?.prefix { $0 != "-" }
        behindSinceMilliseconds = oldest.flatMap { Int64($0) }
    }
}
