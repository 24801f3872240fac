internal import PlasmaProtocol

/// The store's side of the protocol: bytes in, bytes and descriptors out.
///
/// It knows no socket. Long requests are done in slices. The caller hands over what it received, lets `work()`
/// run between its turns, and sends what `takeChanged()` names.
public final class StoreService {
    var store: ObjectStore
    /// What clients may ask.
    public let limits: StoreLimits
    var sessions: [Session?] = []
    /// Open sessions.
    public internal(set) var sessionCount = 0
    /// Sessions with work left, in the order of their turns; worked off from `firstQueued`.
    private var queue: [Session] = []
    private var firstQueued = 0
    var changed: [Session] = []
    var subscribers: [Session] = []
    var bufferedByteCount = 0
    var trash = Trash()
    /// The node manager, and the creates that wait for it.
    var spilling = Spilling()
    /// Objects on their way back from the external store.
    var restores = RestoreQueue()
    /// Sessions whose request waits for objects that are being written to the external store.
    var roomWaiters: [Session] = []
    var messages: [String] = []
    /// Whether the present turn has time for one more request of a client, or one more slice; set by
    /// the caller.
    public var hasTime: () -> Bool = { true }
    /// A line for the debug string from the caller, about its turns.
    public var turnLine: (() -> String)?
    /// What came of the external store's work, not all noted yet.
    var results = ExternalResults()
    var lastMessage: (text: String, time: Int64) = ("", 0)

    /// A store, empty.
    public init(
        _ configuration: StoreConfiguration, limits: StoreLimits = StoreLimits()
    )
        throws(ArenaError)
    {
        store = try ObjectStore(configuration)
        self.limits = limits
    }

    // The thread reads and writes the arena, which goes with the store.
    deinit { store.external?.end() }

    /// The present time, for everything until it is set again.
    public var time: StoreTime {
        get { store.time }
        set {
            store.time = newValue
            if newValue.monotonicMilliseconds >= spilling.guardEnd { endGuard() }
        }
    }

    /// A new client; `nil` when there are too many.
    public func open(processID: Int32) -> Session? {
        guard sessionCount < limits.sessionCountMax else { return nil }
        let number = store.openSession()
        let session = Session(number: number, processID: processID)
        while sessions.count <= Int(number) { sessions.append(nil) }
        sessions[Int(number)] = session
        sessionCount += 1
        return session
    }

    /// A client is gone: what it held is released, in slices; its buffers and notifications end.
    public func close(_ session: Session) {
        guard !session.isClosing else { return }
        session.isClosing = true
        session.operation = nil
        leaveSpilling(session)
        session.input.consume(session.input.count)
        session.output.clear()
        session.passed = nil
        endSubscription(session)
        count(session)
        enqueue(session)
    }

    /// Takes bytes that a client sent, and a descriptor that came with them; the caller then sends
    /// what the session has, which `takeChanged()` does not name for that.
    ///
    /// - Parameter bytes: may be empty when they were put into `session.input` directly.
    public func receive(
        _ session: Session, _ bytes: UnsafeRawBufferPointer, descriptor: Int32? = nil
    ) {
        let passed = descriptor.map(PassedSocket.init(adopting:))
        guard !session.isClosing, !session.isFinished else { return }
        if let passed { session.accept(passed) }
        if session.input.isEmpty, session.operation == nil {
            let consumed = run(session, bytes)
            let rest = UnsafeRawBufferPointer(rebasing: bytes[consumed...])
            guard !rest.isEmpty else { return afterRun(session) }
            _ = session.input.reserve(rest.count, expecting: largestFrame(session, rest))
            session.input.append(rest)
        } else {
            session.input.append(bytes)
            runInput(session)
        }
        afterRun(session)
    }

    /// Goes on with a client whose unsent replies had become too many.
    public func resume(_ session: Session) {
        guard !session.isClosing, !session.isFinished else { return }
        enqueue(session)
    }

    /// Lets a waiting request look at the time.
    public func checkDeadline(_ session: Session) {
        guard session.deadline != nil else { return }
        session.isWaiting = false
        resume(session)
    }

    /// Whether more bytes of a client should be read now.
    public func wantsInput(_ session: Session) -> Bool {
        !session.isFinished && !session.isClosing
            && session.output.bytes.count <= limits.backlogByteCountMax && !isTooFarAhead(session)
    }

    /// Bytes that are missing of the first frame in the buffer, when that is known; otherwise 0.
    public func missingByteCount(_ session: Session) -> Int {
        guard !session.input.isEmpty, session.operation == nil else { return 0 }
        return max(0, largestFrame(session) - session.input.count)
    }

    /// Does slices of what is left to do: one, and more while the turn has time.
    ///
    /// - Returns: whether there is more.
    public func work() -> Bool {
        if !results.isEmpty { noteExternalResults() }
        if hasRestores { pumpRestores() }
        while firstQueued < queue.count {
            let session = queue[firstQueued]
            firstQueued += 1
            session.isQueued = false
            if session.isClosing { release(session) } else { turn(session) }
            if firstQueued > 256 || firstQueued == queue.count {
                queue.removeFirst(firstQueued)
                firstQueued = 0
            }
            guard hasTime() else { break }
        }
        return hasWork
    }

    /// Sessions that have something to be sent or to be closed, each once.
    public func takeChanged() -> [Session] {
        tellSubscribers()
        let sessions = changed
        changed = []
        for session in sessions { session.isChanged = false }
        return sessions
    }

    /// Whether `work()` has something to do.
    public var hasWork: Bool { firstQueued < queue.count || hasRestores || !results.isEmpty }

    /// Whether `takeChanged()` has something to give.
    public var hasChanges: Bool { !changed.isEmpty || !store.notifications.isEmpty }

    /// Gives a session a turn, behind those that wait for theirs.
    func enqueue(_ session: Session) {
        guard !session.isQueued else { return }
        session.isQueued = true
        queue.append(session)
    }
}
