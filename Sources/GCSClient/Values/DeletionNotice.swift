public import Identifiers

/// What the server says when something was released.
public enum DeletionNotice: Equatable, Sendable {
    /// A batch was collected.
    case batch(BatchDeletion)
    /// Single objects were freed: at most 1,000 in one notice.
    case objects([RecordID])
    /// The connection was lost and is back: notices may be missing here.
    case gap
}

/// The end of a batch.
public struct BatchDeletion: Equatable, Sendable {
    /// What ended it.
    public enum Reason: String, Sendable {
        /// Its driver ended it.
        case end
        /// It was destroyed, kept objects and all.
        case destroy
        /// Its lease ran out.
        case timeout
        /// The batch above it ended.
        case parent
        /// Its key was deleted.
        case del
    }

    /// The entry of the deletion log.
    public var logID: LogID
    /// The batch.
    public var batch: BatchID
    /// What ended it.
    public var reason: Reason
    /// Task records released.
    public var taskCount: Int64
    /// Object records released.
    public var objectCount: Int64
    /// Objects with the batch's prefix that stay.
    public var kept: [RecordID]
    /// Objects of other prefixes that go with it.
    public var adopted: [RecordID]
}

extension DeletionNotice {
    /// Reads the message of a channel `GC:*`; `nil` for anything that is none.
    init?(message: [UInt8]) {
        guard let fields = FlatJSON.object(message) else { return nil }
        func ids(_ name: String) -> [RecordID]? {
            guard case .list(let words) = fields[name] else { return nil }
            return words.compactMap { RecordID(hex: $0) }
        }
        if let objects = ids("objects") {
            self = .objects(objects)
            return
        }
        guard case .word(let logID) = fields["id"], let logID = LogID(logID),
            case .number(let batch) = fields["batch"],
            case .word(let reason) = fields["reason"],
            let reason = BatchDeletion.Reason(rawValue: reason),
            case .number(let tasks) = fields["tasks"],
            case .number(let objects) = fields["objects"]
        else { return nil }
        let kept = ids("kept") ?? []
        let adopted = ids("adopted") ?? []
        self = .batch(
            BatchDeletion(
                logID: logID, batch: BatchID(rawValue: batch), reason: reason, taskCount: tasks,
                objectCount: objects, kept: kept, adopted: adopted))
    }
}
