public import Identifiers

/// Where a task is in its life.
public enum TaskState: UInt8, Sendable, CaseIterable {
    /// It waits.
    case pending
    /// It runs.
    case running
    /// It ended well.
    case finished
    /// It ended with an error.
    case failed
    /// It was asked to end.
    case cancelled
    /// Where it ran is gone.
    case lost

    /// The word on the wire.
    @inlinable
    public var word: StaticString {
        switch self {
        case .pending: "PENDING"
        case .running: "RUNNING"
        case .finished: "FINISHED"
        case .failed: "FAILED"
        case .cancelled: "CANCELLED"
        case .lost: "LOST"
        }
    }
}

/// A task's record: state (1), flags (1), time of its first ADD in ms (6), then the actor (20) with the
/// task's number on it (8), and the arguments (count 4, outputs 4, 20 each), when flagged, then the
/// specification.
public struct TaskView {
    static let headerByteCount = 8
    static let actorByteCount = RecordID.byteCount + 8
    static let actorBit: UInt8 = 1
    static let argumentsBit: UInt8 = 2
    /// What precedes the arguments.
    static let argumentsHeaderByteCount = 8

    let bytes: UnsafeMutableRawBufferPointer

    /// Whether bytes that come from outside are such a record.
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= headerByteCount else { return false }
        var rest = bytes.count - headerByteCount
        if bytes[1] & actorBit != 0 { rest -= actorByteCount }
        guard rest >= 0 else { return false }
        guard bytes[1] & argumentsBit != 0 else { return true }
        guard rest >= argumentsHeaderByteCount else { return false }
        let offset = bytes.count - rest
        let count = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
        return rest - argumentsHeaderByteCount >= count * RecordID.byteCount
    }

    private var start: UnsafeMutableRawPointer {
        guard let start = bytes.baseAddress else { preconditionFailure("a task without a record") }
        return start
    }

    /// Its state.
    public var state: TaskState { TaskState(rawValue: bytes[0]) ?? .lost }

    /// Milliseconds since 1970 of its first ADD.
    public var addedAt: Int64 { Int64(start.load(as: UInt64.self) >> 16) }

    /// Its actor.
    public var actor: RecordID? {
        bytes[1] & Self.actorBit == 0 ? nil : RecordID(loading: start + Self.headerByteCount)
    }

    /// Its number among all tasks on actors, in the order of their first ADD.
    var actorSequence: UInt64? {
        guard bytes[1] & Self.actorBit != 0 else { return nil }
        return start.loadUnaligned(
            fromByteOffset: Self.headerByteCount + RecordID.byteCount, as: UInt64.self)
    }

    private var argumentsOffset: Int {
        bytes[1] & Self.actorBit == 0
            ? Self.headerByteCount : Self.headerByteCount + Self.actorByteCount
    }

    /// The objects it was given.
    public var argumentCount: Int {
        guard bytes[1] & Self.argumentsBit != 0 else { return 0 }
        return Int(start.loadUnaligned(fromByteOffset: argumentsOffset, as: UInt32.self))
    }

    /// One of the objects it was given.
    public func argument(_ position: Int) -> RecordID {
        RecordID(
            loading: start + argumentsOffset + Self.argumentsHeaderByteCount
                + position * RecordID.byteCount)
    }

    /// Its outputs, if it was given objects; else none are counted.
    var outputs: OutputCount {
        get {
            guard bytes[1] & Self.argumentsBit != 0 else { return OutputCount() }
            return OutputCount(
                rawValue: start.loadUnaligned(
                    fromByteOffset: argumentsOffset + 4, as: UInt32.self))
        }
        nonmutating set {
            guard bytes[1] & Self.argumentsBit != 0 else { return }
            start.storeBytes(
                of: newValue.rawValue, toByteOffset: argumentsOffset + 4, as: UInt32.self)
        }
    }

    /// Whether it neither waits nor runs, had outputs, and all of them are gone.
    var isSpent: Bool { Self.isSpent(state, outputs) }

    static func isSpent(_ state: TaskState, _ outputs: OutputCount) -> Bool {
        state != .pending && state != .running && outputs.areGone
    }

    /// Its specification, as it was added.
    public var specification: UnsafeRawBufferPointer {
        let arguments =
            argumentCount == 0
            ? 0 : Self.argumentsHeaderByteCount + argumentCount * RecordID.byteCount
        return UnsafeRawBufferPointer(rebasing: bytes[(argumentsOffset + arguments)...])
    }
}

/// A task to be added; a view of the request's bytes.
public struct NewTask {
    /// Its id.
    public var id: RecordID
    /// What it is to do; any bytes.
    public var specification: UnsafeRawBufferPointer
    /// Its state.
    public var state: TaskState
    /// The actor it runs on.
    public var actor: RecordID?
    /// The number of objects it is given.
    public var argumentCount = 0

    /// A pending task without actor and arguments.
    @inline(__always)
    public init(id: RecordID, specification: UnsafeRawBufferPointer) {
        self.id = id
        self.specification = specification
        state = .pending
    }
}

extension ControlStore {
    /// Adds a task, or replaces it; the time of its first ADD stays.
    ///
    /// - Parameter argument: the objects it is given, by position.
    /// - Returns: whether it is new.
    @inline(__always)
    public mutating func addTask(
        _ task: NewTask, argument: (Int) -> RecordID
    ) throws(StoreError) -> Bool {
        let key = RecordKey(task.id, .task)
        let site = try locateForWriting(key)
        try checkRoom(site)
        let actorByteCount = task.actor == nil ? 0 : TaskView.actorByteCount
        let argumentsByteCount =
            task.argumentCount == 0
            ? 0 : TaskView.argumentsHeaderByteCount &+ task.argumentCount &* RecordID.byteCount
        let byteCount =
            TaskView.headerByteCount &+ actorByteCount &+ argumentsByteCount
            &+ task.specification.count
        let isNew = site.place == nil
        let addedAt = isNew ? now : view(site).addedAt
        let sequence = task.actor.map { actorSequence($0, at: site) } ?? 0
        let isNaming = task.argumentCount > 0 || !isNew && view(site).argumentCount > 0
        let outputs = isNaming ? outputsBefore(task, at: site) : OutputCount()
        let payload =
            isNew ? insert(key, at: site, byteCount: byteCount) : resize(site, byteCount: byteCount)
        guard var cursor = payload.baseAddress else { return isNew }
        let flags =
            (actorByteCount > 0 ? TaskView.actorBit : 0)
            | (argumentsByteCount > 0 ? TaskView.argumentsBit : 0)
        let head = UInt64(task.state.rawValue) | UInt64(flags) << 8 | UInt64(addedAt) << 16
        if journal.isOn, flags == 0 { tellEarly(key, at: site, payload, head, task.specification) }
        cursor.storeBytes(of: head, as: UInt64.self)
        cursor += TaskView.headerByteCount
        if let actor = task.actor {
            actor.store(to: cursor)
            cursor.storeBytes(of: sequence, toByteOffset: RecordID.byteCount, as: UInt64.self)
            cursor += TaskView.actorByteCount
        }
        if task.argumentCount > 0 {
            cursor.storeBytes(of: UInt32(task.argumentCount), as: UInt32.self)
            cursor.storeBytes(of: outputs.rawValue, toByteOffset: 4, as: UInt32.self)
            cursor += TaskView.argumentsHeaderByteCount
            for position in 0..<task.argumentCount {
                argument(position).store(to: cursor)
                cursor += RecordID.byteCount
            }
        }
        if let source = task.specification.baseAddress {
            cursor.copyMemory(from: source, byteCount: task.specification.count)
        }
        if let actor = task.actor, isNew { noteTask(task.id, of: actor) }
        if task.argumentCount > 0, let owner = site.batch {
            needArguments(of: task, outputs, owner, argument: argument)
            if owner != root {
                dependOnArguments(owner, count: task.argumentCount, argument: argument)
            }
        }
        return isNew
    }

    /// The task's place on its actor: the one it has, or the last.
    @inline(never)
    private mutating func actorSequence(_ actor: RecordID, at site: Site) -> UInt64 {
        if site.place != nil {
            let present = view(site)
            if present.actor == actor, let sequence = present.actorSequence { return sequence }
        }
        return appendToActor(actor, site.batch ?? root)
    }

    private func view(_ site: Site) -> TaskView {
        guard let payload = payload(site) else { preconditionFailure("a task that is not there") }
        return TaskView(bytes: payload)
    }

    /// A task's owner and record; valid until the store changes.
    public mutating func task(_ id: RecordID) -> (owner: BatchID, TaskView)? {
        let site = locate(RecordKey(id, .task))
        guard let owner = site.batch, let payload = payload(site) else { return nil }
        return (owner.pointee.id, TaskView(bytes: payload))
    }

    /// Changes a task's state.
    ///
    /// - Returns: whether there is such a task.
    public mutating func setTaskState(_ id: RecordID, _ state: TaskState) throws(StoreError) -> Bool
    {
        let site = try locateForWriting(RecordKey(id, .task))
        guard let owner = site.batch, let payload = payload(site) else { return false }
        let view = TaskView(bytes: payload)
        let wasSpent = view.isSpent
        payload[0] = state.rawValue
        journal.note(RecordKey(id, .task))
        let isSpent = view.isSpent
        if wasSpent != isSpent { changeNeeds(of: id, by: isSpent ? -1 : 1, owner) }
        return true
    }

    /// Removes a task's record.
    ///
    /// - Returns: whether there was one.
    public mutating func removeTask(_ id: RecordID) -> Bool {
        let key = RecordKey(id, .task)
        let site = locate(key)
        guard let owner = site.batch, site.place != nil else { return false }
        forgetNeeds(of: id, view(site), owner)
        remove(key, at: locate(key))
        return true
    }
}

/// What is known of an actor: number of tasks (8), time of the first in ms (8), the last task (20).
public struct ActorView {
    static let byteCount = 36
    let bytes: UnsafeMutableRawPointer

    /// Tasks added on it.
    public var taskCount: Int { bytes.load(as: Int.self) }
    /// Milliseconds since 1970 of its first task's ADD.
    public var addedAt: Int64 { bytes.load(fromByteOffset: 8, as: Int64.self) }
    /// The task added last.
    public var lastTask: RecordID { RecordID(loading: bytes + 16) }
}

extension ControlStore {
    /// Counts a task on its actor; an actor of a batch that has ended has no record any more.
    @inline(never)
    private mutating func noteTask(_ task: RecordID, of actor: RecordID) {
        let key = RecordKey(actor, .actor)
        guard let site = try? locateForWriting(key) else { return }
        let bytes: UnsafeMutableRawPointer?
        if site.place == nil {
            bytes = insert(key, at: site, byteCount: ActorView.byteCount).baseAddress
            bytes?.storeBytes(of: 0, as: Int.self)
            bytes?.storeBytes(of: now, toByteOffset: 8, as: Int64.self)
        } else {
            bytes = payload(site)?.baseAddress
            journal.note(key)
        }
        guard let bytes else { return }
        bytes.storeBytes(of: bytes.load(as: Int.self) + 1, as: Int.self)
        task.store(to: bytes + 16)
    }

    /// An actor's owner and record; valid until the store changes.
    public mutating func actor(_ id: RecordID) -> (owner: BatchID, ActorView)? {
        let site = locate(RecordKey(id, .actor))
        guard let owner = site.batch, let bytes = payload(site)?.baseAddress else { return nil }
        return (owner.pointee.id, ActorView(bytes: bytes))
    }

    /// Removes an actor's record.
    ///
    /// - Returns: whether there was one.
    public mutating func removeActor(_ id: RecordID) -> Bool {
        let key = RecordKey(id, .actor)
        let site = locate(key)
        guard site.place != nil else { return false }
        remove(key, at: site)
        return true
    }
}
