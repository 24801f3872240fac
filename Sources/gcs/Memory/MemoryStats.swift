internal import ControlClient
internal import RESP

/// What GCS.MEMORY STATS tells.
struct MemoryStats: Encodable {
    /// References of one type.
    struct Tally: Encodable {
        var count: Int64
        var bytes: Int64
        /// Those of which nobody told the bytes.
        var unsized: Int64
    }

    /// One node.
    struct Node: Encodable {
        var id: String
        var address: String
        var status: String
        var types: [String: Tally]
        var usage: [String: Int64]
    }

    /// Types in the order in which they are shown.
    static let typeNames = [
        "LOCAL_REFERENCE", "PINNED_IN_MEMORY", "USED_BY_PENDING_TASK", "CAPTURED_IN_OBJECT",
        "ACTOR_HANDLE",
    ]

    enum CodingKeys: String, CodingKey {
        case objects
        case referencedObjects = "referenced-objects"
        case references, types, usage, nodes
    }

    var objects: Int64
    var referencedObjects: Int64
    var references: Int64
    var types: [String: Tally]
    var usage: [String: Int64]
    var nodes: [Node]

    /// Asks the server.
    init(_ connection: BlockingControlConnection) throws {
        let reply = try connection.command("GCS.MEMORY", "STATS")
        guard let list = reply[field: "nodes"]?.elements else {
            throw Failure("what answers at \(connection.address) tells nothing of memory")
        }
        objects = reply[field: "objects"]?.number ?? 0
        referencedObjects = reply[field: "referenced-objects"]?.number ?? 0
        references = reply[field: "references"]?.number ?? 0
        types = Self.types(reply)
        usage = Self.usage(reply)
        nodes = list.map { node in
            Node(
                id: node[field: "id"]?.text ?? "", address: node[field: "address"]?.text ?? "",
                status: node[field: "status"]?.text ?? "", types: Self.types(node),
                usage: Self.usage(node))
        }
    }

    private static func types(_ reply: ControlReply) -> [String: Tally] {
        var types: [String: Tally] = [:]
        for name in typeNames {
            guard let tally = reply[field: "types"]?[field: name] else { continue }
            types[name] = Tally(
                count: tally[field: "count"]?.number ?? 0,
                bytes: tally[field: "bytes"]?.number ?? 0,
                unsized: tally[field: "unsized"]?.number ?? 0)
        }
        return types
    }

    private static func usage(_ reply: ControlReply) -> [String: Int64] {
        var usage: [String: Int64] = [:]
        let fields = reply[field: "usage"]?.elements ?? []
        for position in stride(from: 0, to: fields.count - 1, by: 2) {
            guard let name = fields[position].text else { continue }
            usage[name] = fields[position + 1].number
        }
        return usage
    }
}
