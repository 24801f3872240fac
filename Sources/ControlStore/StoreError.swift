public import Identifiers

/// Why the store refused a change; nothing was changed.
public enum StoreError: Error, Equatable, Sendable {
    /// No batch of this id lives, and none is remembered.
    case noBatch(BatchID)
    /// The batch has ended.
    case batchEnded(BatchID)
    /// A batch of this id lives already.
    case batchExists(BatchID)
    /// The root cannot end, be kept in or time out.
    case rootBatch
    /// The id is not in 1...2^63-1.
    case invalidBatch
    /// The parent is not active.
    case parentNotActive(BatchID)
    /// The object belongs to another batch than the one named.
    case notOwned(RecordID, owner: BatchID, named: BatchID)
    /// A batch cannot depend on itself or an ancestor.
    case invalidDependency(BatchID, on: BatchID)
    /// No such task.
    case noTask(RecordID)
    /// The task is not one of the actor's.
    case notOnActor(RecordID, actor: RecordID)
    /// The batch's name is too long.
    case nameTooLong(Int)
    /// The object has as many copies as a record can hold.
    case tooManyLocations(Int)
    /// The records of a batch take as much memory as one can have.
    case batchFull(BatchID)
    /// No node of this name is known.
    case noNode
    /// The deletion id is newer than the log's newest.
    case acknowledgedTooMuch
}
