public import Identifiers
internal import RESP

extension GCSClient {
    /// What the server knows of a task; `nil` when it knows none.
    public func taskInfo(_ task: RecordID) async throws(GCSError) -> TaskInfo? {
        let reply = try await reply(to: Command("GCS.TASK", "GET").adding([task]))
        return reply == .null ? nil : try TaskInfo(reply)
    }

    /// Changes how far a task is.
    ///
    /// - Throws: `GCSError.server` when there is no such task.
    public func setState(
        _ state: TaskState, of task: RecordID
    ) async throws(GCSError) {
        _ = try await reply(
            to: Command("GCS.TASK", "STATE").adding([task]).adding(state.rawValue))
    }

    /// What the server knows of an object; `nil` when it knows none.
    public func objectInfo(_ object: RecordID) async throws(GCSError) -> ObjectInfo? {
        let reply = try await reply(to: Command("GCS.OBJECT", "GET").adding([object]))
        return reply == .null ? nil : try ObjectInfo(reply)
    }

    /// Removes objects here and from every store, whatever their batch.
    ///
    /// - Parameters:
    ///   - objects: their ids; unknown ones are passed over.
    ///   - includesTasks: whether the records of the tasks that made them go too.
    ///   - isRecursive: whether what these tasks were given goes too, once no other task needs it, and so
    ///     on upwards.
    /// - Returns: how many objects were freed.
    @discardableResult
    public func freeObjects(
        _ objects: [RecordID], includesTasks: Bool = false, isRecursive: Bool = false
    ) async throws(GCSError) -> Int64 {
        guard !objects.isEmpty else { return 0 }
        var command = Command("GCS.OBJECT", "FREE")
        if isRecursive { command = command.adding("RECURSIVE") }
        if includesTasks { command = command.adding("TASKS") }
        return try await reply(to: command.adding(objects)).integer()
    }
}
