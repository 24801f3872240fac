internal import ControlClient
internal import RESP

/// What GCS.BATCH INFO says about a batch.
struct BatchSummary: Encodable {
    var id: Int64
    var parent: Int64
    var name: String
    var status: String
    var createdMilliseconds: Int64
    var endedMilliseconds: Int64?
    var timeoutMilliseconds: Int64?
    var taskCount: Int64
    var objectCount: Int64
    var keptCount: Int64
    var byteCount: Int64
    var dependsOn: [Int64]
    var dependents: [Int64]

    /// The names of the server's fields, so that scripts find the same ones everywhere.
    enum CodingKeys: String, CodingKey {
        case id, parent, name, status
        case createdMilliseconds = "created-ms"
        case endedMilliseconds = "ended-ms"
        case timeoutMilliseconds = "timeout-ms"
        case taskCount = "tasks"
        case objectCount = "objects"
        case keptCount = "kept"
        case byteCount = "bytes"
        case dependsOn = "depends-on"
        case dependents
    }

    /// Reads the reply of GCS.BATCH INFO.
    init(_ reply: ControlReply) throws(Failure) {
        let fields = try reply.fields()
        func number(_ key: CodingKeys) -> Int64 { fields[key.rawValue]?.number ?? 0 }
        func positive(_ key: CodingKeys) -> Int64? { number(key) > 0 ? number(key) : nil }
        id = number(.id)
        parent = number(.parent)
        name = fields["name"]?.text ?? ""
        status = fields["status"]?.text ?? ""
        createdMilliseconds = number(.createdMilliseconds)
        endedMilliseconds = positive(.endedMilliseconds)
        timeoutMilliseconds = positive(.timeoutMilliseconds)
        taskCount = number(.taskCount)
        objectCount = number(.objectCount)
        keptCount = number(.keptCount)
        byteCount = number(.byteCount)
        dependsOn = Self.batches(fields["depends-on"])
        dependents = Self.batches(fields["dependents"])
    }

    private static func batches(_ reply: ControlReply?) -> [Int64] {
        guard case .array(let elements) = reply else { return [] }
        return elements.compactMap(\.number)
    }

    /// What to call it in a table.
    var label: String { name.isEmpty ? (id == 0 ? "(root)" : "-") : name }

    /// How long ago the batch was started; the root always was.
    func age(now: Int64) -> String {
        createdMilliseconds > 0 ? Units.age(milliseconds: now - createdMilliseconds) : "-"
    }
}

extension BatchSummary {
    /// The summaries of up to `limit` batches, and whether there are more.
    static func list(
        _ connection: BlockingControlConnection, status: String?, limit: Int
    ) throws -> (batches: [BatchSummary], isMore: Bool) {
        var batches: [BatchSummary] = []
        var cursor = "0"
        repeat {
            let page = try listPage(connection, status: status, cursor: cursor)
            cursor = page.cursor
            batches += page.batches
        } while cursor != "0" && batches.count <= limit
        return (Array(batches.prefix(limit)), batches.count > limit || cursor != "0")
    }

    private static func listPage(
        _ connection: BlockingControlConnection, status: String?, cursor: String
    ) throws -> (cursor: String, batches: [BatchSummary]) {
        let filter = status.map { ["STATUS", $0] } ?? []
        let words = ["GCS.BATCH", "LIST"] + filter + ["CURSOR", cursor, "COUNT", "500"]
        let page = try connection.command(words).list()
        guard page.count == 2, let next = page[0].text else {
            throw Failure("GCS.BATCH LIST answered without a cursor")
        }
        let ids = try page[1].list().compactMap(\.number)
        let replies = try connection.replies(to: ids.map { ["GCS.BATCH", "INFO", String($0)] })
        // A batch may end between the two commands.
        let found = replies.filter { if case .error = $0 { false } else { true } }
        return (next, try found.map { try BatchSummary($0) })
    }
}
