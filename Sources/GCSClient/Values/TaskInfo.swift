public import Identifiers
internal import RESP

/// How far a task is.
public enum TaskState: String, Sendable, CaseIterable {
    /// Not begun.
    case pending = "PENDING"
    /// Begun.
    case running = "RUNNING"
    /// Done; its outputs are there.
    case finished = "FINISHED"
    /// Given up after an error.
    case failed = "FAILED"
    /// Called off.
    case cancelled = "CANCELLED"
    /// Gone with its node.
    case lost = "LOST"
}

/// What the server knows of a task.
public struct TaskInfo: Equatable, Sendable {
    /// Its id; the index is 0.
    public var id: RecordID
    /// The batch that it goes with.
    public var batch: BatchID
    /// How far it is.
    public var state: TaskState
    /// What its driver wrote, as it was.
    public var spec: [UInt8]
    /// The actor that it runs on.
    public var actor: RecordID?
    /// The objects that it reads.
    public var arguments: [RecordID]
    /// When it was added, in milliseconds since 1970.
    public var addedMilliseconds: Int64

    /// Reads the reply to GCS.TASK GET, less nil.
    init(_ reply: ControlReply) throws(GCSError) {
        let fields = try reply.fields()
        guard let state = TaskState(rawValue: fields.text("state").uppercased()) else {
            throw .unexpected(fields["state"] ?? .null, "a task's state")
        }
        self.state = state
        id = try fields.recordID("id")
        batch = fields.batch("batch")
        if case .bytes(let bytes) = fields["spec"] { spec = bytes } else { spec = [] }
        actor = fields["actor"]?.recordID
        arguments = (fields["args"]?.elements ?? []).compactMap(\.recordID)
        addedMilliseconds = fields.number("added-ms")
    }
}
