public import Identifiers
internal import RESP
internal import Synchronization

/// A batch in a driver's hands: a name for what it makes, and the end of it.
///
/// Use it from any task. A write through it is refused with `noBatch` after a restart in which the
/// server forgot the batch, rather than left with the root, where nothing would release it.
public final class Batch: Sendable {
    /// The innermost batch that the calling task is in, by `withBatch`.
    @TaskLocal public static var current: Batch?

    private struct State {
        /// The connection on which the server was seen to know the batch.
        var connection: UInt64?
        var isEnded = false
    }

    /// Its number.
    public let id: BatchID
    let client: GCSClient
    private let state: Mutex<State>

    init(client: GCSClient, id: BatchID, connection: UInt64?) {
        self.client = client
        self.id = id
        state = Mutex(State(connection: connection))
    }

    /// An id for a task of this batch; nothing is asked of the server.
    public func newTaskID() -> RecordID { .newTask(in: id) }

    /// An id for an object of this batch that is put by hand; nothing is asked of the server.
    public func newObjectID() -> RecordID { .newPut(in: id) }

    /// Whether the batch was ended through this handle.
    var isEnded: Bool { state.withLock { $0.isEnded } }

    /// Records a task.
    ///
    /// - Parameters:
    ///   - task: its id; `nil` for a new one of this batch.
    ///   - spec: what the driver needs to know of it; kept as it is.
    ///   - state: how far it is.
    ///   - actor: the actor that it runs on.
    ///   - arguments: the objects that it reads.
    /// - Returns: the task's id.
    /// - Throws: `GCSError`; `batchEnded` when the batch that owns the task has ended.
    @discardableResult
    public func addTask(
        _ task: RecordID? = nil, spec: [UInt8], state: TaskState = .pending,
        actor: RecordID? = nil, arguments: [RecordID] = []
    ) async throws(GCSError) -> RecordID {
        let task = task ?? newTaskID()
        var command = Command("GCS.TASK", "ADD").adding([task]).adding(spec)
            .adding("STATE", state.rawValue)
        if let actor { command = command.adding("ACTOR").adding([actor]) }
        if !arguments.isEmpty {
            command = command.adding("ARGS", "\(arguments.count)").adding(arguments)
        }
        _ = try await write(command)
        return task
    }

    /// Records that a node has a copy of an object.
    ///
    /// - Parameters:
    ///   - object: its id; `nil` for a new one of this batch.
    ///   - node: 1 to 64 characters of `A-Z a-z 0-9 . _ : -`.
    ///   - byteCount: the object's size in the store.
    ///   - isPrimary: whether this is the copy that was made first.
    /// - Returns: the object's id.
    /// - Throws: `GCSError`; `batchEnded` when the batch that owns the object has ended.
    @discardableResult
    public func addObject(
        _ object: RecordID? = nil, on node: String, byteCount: Int64, isPrimary: Bool = true
    ) async throws(GCSError) -> RecordID {
        let object = object ?? newObjectID()
        let command = Command("GCS.OBJECT", "ADD").adding([object])
            .adding(node, "\(byteCount)")
        _ = try await write(isPrimary ? command : command.adding("SECONDARY"))
        return object
    }

    /// Marks objects to pass to the parent when this batch ends.
    ///
    /// - Returns: how many were not marked before.
    @discardableResult
    public func keep(_ objects: RecordID...) async throws(GCSError) -> Int64 {
        try await client.keep(objects, of: id)
    }

    /// Takes objects of other batches over, now.
    ///
    /// - Returns: how many changed their owner.
    @discardableResult
    public func adopt(_ objects: RecordID...) async throws(GCSError) -> Int64 {
        try await client.transfer(objects, to: id)
    }

    /// Gives objects to another batch now.
    ///
    /// - Returns: how many changed their owner.
    @discardableResult
    public func transfer(
        _ objects: RecordID..., to batch: BatchID
    ) async throws(GCSError) -> Int64 {
        try await client.transfer(objects, to: batch)
    }

    /// Makes the end of another batch wait while this one is active.
    ///
    /// - Returns: whether that is new.
    @discardableResult
    public func depend(on other: BatchID) async throws(GCSError) -> Bool {
        try await client.depend(id, on: other)
    }

    /// What the server knows of it.
    public func info() async throws(GCSError) -> BatchInfo { try await client.batchInfo(id) }

    /// Ends it: its records go, what it kept passes to its parent; see `GCSClient.endBatch`.
    @discardableResult
    public func end(collects: Bool = true) async throws(GCSError) -> EndOutcome {
        let outcome = try await client.endBatch(id, collects: collects)
        state.withLock { $0.isEnded = true }
        return outcome
    }

    /// Releases it and those below it at once, kept objects and all.
    ///
    /// - Returns: how many records were released.
    @discardableResult
    public func destroy() async throws(GCSError) -> Int64 {
        let count = try await client.destroyBatch(id)
        state.withLock { $0.isEnded = true }
        return count
    }

    /// Leaves it to others: its time-out is not renewed by this client any more, and the scope that
    /// it was started by does not end it.
    public func letGo() {
        _ = client.post(.stopRenewing(id))
        state.withLock { $0.isEnded = true }
    }

    /// Sends a write on a connection to a server that knows the batch.
    private func write(_ command: Command) async throws(GCSError) -> ControlReply {
        while true {
            let connection: UInt64
            if let known = state.withLock({ $0.connection }) {
                connection = known
            } else {
                connection = try await findConnection()
            }
            switch await client.outcome(of: command.words, on: connection) {
            case .reply(.error(let code, let text), _): throw GCSError(code: code, text: text)
            case .reply(let reply, _): return reply
            case .lost(let reason): throw .connection(reason)
            case .otherConnection: state.withLock { $0.connection = nil }
            }
        }
    }

    /// Asks whether the server knows the batch, and remembers where.
    private func findConnection() async throws(GCSError) -> UInt64 {
        let command = Command("GCS.BATCH", "INFO").adding(id)
        let (_, connection) = try await client.answer(to: command)
        state.withLock { $0.connection = connection }
        return connection
    }
}
