public import Identifiers
internal import RESP

extension GCSClient {
    /// Makes a batch depend on another: as long as it is active, the end of the other waits.
    ///
    /// - Returns: whether that is new.
    /// - Throws: `GCSError.server` for the batch itself, one above it, and the root.
    @discardableResult
    public func depend(
        _ batch: BatchID, on other: BatchID
    ) async throws(GCSError) -> Bool {
        let command = Command("GCS.BATCH", "DEPEND").adding(batch).adding(other)
        return try await reply(to: command).integer() == 1
    }

    /// Says that an actor has saved its state: nothing behind the task needs what led to it.
    ///
    /// - Parameters:
    ///   - actor: the actor.
    ///   - task: the last task whose effects are saved; it has a record, and is on this actor.
    /// - Throws: `GCSError.server` when it has none, or is not.
    public func checkpoint(
        _ actor: RecordID, at task: RecordID
    ) async throws(GCSError) {
        _ = try await reply(to: Command("GCS.ACTOR", "CHECKPOINT").adding([actor, task]))
    }

    /// Asks whoever listens to the channel `TASK:<id>` to end a task; its state is theirs to set.
    ///
    /// - Returns: how many listen.
    /// - Throws: `GCSError.server` when there is no such task.
    @discardableResult
    public func cancelTask(_ task: RecordID) async throws(GCSError) -> Int64 {
        try await reply(to: Command("GCS.TASK", "CANCEL").adding([task])).integer()
    }

    /// Pins objects: they stay, whatever ends, until they are unpinned.
    ///
    /// - Returns: how many were not pinned before.
    /// - Throws: `GCSError`; `batchEnded` for an object of an ended batch that has no record.
    @discardableResult
    public func pin(_ objects: [RecordID]) async throws(GCSError) -> Int64 {
        guard !objects.isEmpty else { return 0 }
        return try await reply(to: Command("GCS.OBJECT", "PIN").adding(objects)).integer()
    }

    /// Lifts pins; an object that outlived its batch by its pin alone is freed everywhere.
    ///
    /// - Returns: how many were pinned.
    @discardableResult
    public func unpin(_ objects: [RecordID]) async throws(GCSError) -> Int64 {
        guard !objects.isEmpty else { return 0 }
        return try await reply(to: Command("GCS.OBJECT", "UNPIN").adding(objects)).integer()
    }
}
