internal import ControlClient
internal import RESP

/// What `gcs status` shows.
struct StatusReport: Encodable {
    /// The process.
    struct Server: Encodable {
        var address: String
        var version: String
        var uptimeSeconds: Int64?
        var usedBytes: Int64?
        var residentBytes: Int64?
        var clientCount: Int64?

        enum CodingKeys: String, CodingKey {
            case address, version
            case uptimeSeconds = "uptime-secs"
            case usedBytes = "used-bytes"
            case residentBytes = "resident-bytes"
            case clientCount = "clients"
        }
    }

    var server: Server
    var batchCount: Int64
    var taskCount: Int64
    var objectCount: Int64
    /// Deletions in the log, which registered nodes have to carry out.
    var logCount: Int64
    /// Ended batches whose ids are remembered.
    var tombstoneCount: Int64
    var nodes: [NodeStatus]

    enum CodingKeys: String, CodingKey {
        case server
        case batchCount = "batches"
        case taskCount = "tasks"
        case objectCount = "objects"
        case logCount = "log-length"
        case tombstoneCount = "tombstones"
        case nodes
    }

    /// Asks the server.
    ///
    /// - Throws: `Failure` when it is not a gcs-server, among others.
    init(_ connection: BlockingControlConnection) throws {
        let info = ServerInfo(try connection.command("INFO").text ?? "")
        guard let batchCount = info.number("gcs_batches") else {
            throw Failure("what answers at \(connection.address) is not a gcs-server")
        }
        self.batchCount = batchCount
        server = Server(
            address: connection.address.description,
            version: info.text("gcs_version", "server_version", "redis_version") ?? "unknown",
            uptimeSeconds: info.number("uptime_in_seconds"),
            usedBytes: info.number("used_memory"), residentBytes: info.number("used_memory_rss"),
            clientCount: info.number("connected_clients"))
        taskCount = info.number("gcs_tasks") ?? 0
        objectCount = info.number("gcs_objects") ?? 0
        logCount = info.number("gcs_log_length") ?? 0
        tombstoneCount = info.number("gcs_tombstones") ?? 0
        nodes = try NodeStatus.all(connection)
    }

    /// All but the nodes.
    var facts: Facts {
        var facts = Facts()
        let uptime = server.uptimeSeconds.map { ", up \(Units.age(milliseconds: $0 * 1000))" }
        facts.append("server", "\(server.address), version \(server.version)\(uptime ?? "")")
        let used = server.usedBytes.map { Units.bytes($0) } ?? "unknown"
        let resident = server.residentBytes.map { ", \(Units.bytes($0)) resident" } ?? ""
        facts.append("memory", used + resident)
        if let clients = server.clientCount { facts.append("clients", Units.count(clients)) }
        facts.append("batches", Units.count(batchCount))
        facts.append("tasks", Units.count(taskCount))
        facts.append("objects", Units.count(objectCount))
        let ended = "\(Units.count(tombstoneCount)) ended batches remembered"
        facts.append("deletions", "\(Units.count(logCount)) in the log, \(ended)")
        return facts
    }

    /// The nodes, a row each.
    static func table(_ nodes: [NodeStatus], now: Int64) -> Table {
        var table = Table(
            .init(title: "NODE"), .init(title: "STATUS"), .init(title: "SEEN", alignment: .right),
            .init(title: "OBJECTS", alignment: .right), .init(title: "BYTES", alignment: .right),
            .init(title: "BEHIND", alignment: .right), .init(title: "ADDRESS"),
            .init(title: "STORE"))
        for node in nodes {
            let seen = node.lastSeenMilliseconds.map { Units.age(milliseconds: now - $0) + " ago" }
            table.append(
                node.id, node.status.rawValue, seen ?? "never",
                node.objectCount.map { Units.count($0) } ?? "-",
                node.byteCount.map { Units.bytes($0) } ?? "-", behind(node, now),
                node.address.isEmpty ? "-" : node.address, node.store.isEmpty ? "-" : node.store)
        }
        return table
    }

    private static func behind(_ node: NodeStatus, _ now: Int64) -> String {
        guard node.behindCount > 0 else { return "0" }
        let isMore = node.behindCount >= NodeStatus.behindCountMax ? "+" : ""
        let since = node.behindSinceMilliseconds.map { ", \(Units.age(milliseconds: now - $0))" }
        return "\(Units.count(node.behindCount))\(isMore)\(since ?? "")"
    }
}
