internal import ControlClient
public import GCSClient
internal import RESP

/// As JSON, with the names of the server's fields, so that scripts find the same ones everywhere.
extension BatchInfo: Encodable {
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

    /// Writes the fields of GCS.BATCH INFO.
    public func encode(to encoder: any Encoder) throws {
        var fields = encoder.container(keyedBy: CodingKeys.self)
        try fields.encode(id.rawValue, forKey: .id)
        try fields.encode(parent.rawValue, forKey: .parent)
        try fields.encode(name, forKey: .name)
        try fields.encode(status.rawValue, forKey: .status)
        try fields.encode(createdMilliseconds, forKey: .createdMilliseconds)
        try fields.encodeIfPresent(endedMilliseconds, forKey: .endedMilliseconds)
        try fields.encodeIfPresent(timeoutMilliseconds, forKey: .timeoutMilliseconds)
        try fields.encode(taskCount, forKey: .taskCount)
        try fields.encode(objectCount, forKey: .objectCount)
        try fields.encode(keptCount, forKey: .keptCount)
        try fields.encode(byteCount, forKey: .byteCount)
        try fields.encode(dependsOn.map(\.rawValue), forKey: .dependsOn)
        try fields.encode(dependents.map(\.rawValue), forKey: .dependents)
    }
}

/// As a person reads it.
extension BatchInfo {
    /// What to call it in a table.
    var label: String { name.isEmpty ? (id == .root ? "(root)" : "-") : name }

    /// How long ago the batch was started; the root always was.
    func age(now: Int64) -> String {
        createdMilliseconds > 0 ? Units.age(milliseconds: now - createdMilliseconds) : "-"
    }
}

extension BatchInfo {
    /// What is known of up to `limit` batches, and whether there are more.
    static func list(
        _ connection: BlockingControlConnection, status: BatchStatus?, limit: Int
    ) throws -> (batches: [BatchInfo], isMore: Bool) {
        var batches: [BatchInfo] = []
        var cursor: String? = "0"
        while let from = cursor, batches.count <= limit {
            let page = try listPage(connection, status: status, cursor: from)
            cursor = page.next
            batches += page.batches
        }
        return (Array(batches.prefix(limit)), batches.count > limit || cursor != nil)
    }

    private static func listPage(
        _ connection: BlockingControlConnection, status: BatchStatus?, cursor: String
    ) throws -> (next: String?, batches: [BatchInfo]) {
        let filter = status.map { ["STATUS", $0.rawValue] } ?? []
        let words = ["GCS.BATCH", "LIST"] + filter + ["CURSOR", cursor, "COUNT", "500"]
        let (next, elements) = try connection.command(words).page()
        let ids = elements.compactMap(\.number)
        let replies = try connection.replies(to: ids.map { ["GCS.BATCH", "INFO", String($0)] })
        // A batch may end between the two commands.
        let found = replies.filter { if case .error = $0 { false } else { true } }
        return (next, try found.map { try BatchInfo($0) })
    }
}
