internal import PlasmaProtocol

/// The store's side of the protocol: bytes in, bytes and descriptors out.
///
/// It knows no socket. Long requests are done in slices. The caller hands over what it received, lets `work(while:)`
/// run between its turns, and sends what `takeChanged()` names.
public final class StoreService {
    var store: ObjectStore
    /// What clients may ask.
    public let limits: StoreLimits
    private var sessions: [Session?] = []
    /// Open sessions.
    public private(set) var sessionCount = 0
    /// Sessions with work left, in the order of their turns; worked off from `firstQueued`.
    private var queue: [Session] = []
    private var firstQueued = 0
    private var changed: [Session] = []
    private var subscribers: [Session] = []
    private var bufferedByteCount = 0

    /// A store for `capacity` bytes of objects, in memory or in files under `directory`.
    public init(
        capacity: Int, directory: String? = nil, limits: StoreLimits = StoreLimits()
    )
        throws(ArenaError)
    {
        store = try ObjectStore(capacity: capacity, directory: directory)
        self.limits = limits
    }

    /// The present time, for everything until it is set again.
    public var time: StoreTime {
        get { store.time }
        set { store.time = newValue }
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
        session.input.reset()
        session.output = ReplyQueue()
        endSubscription(session)
        count(session)
        enqueue(session)
    }

    /// Takes bytes that a client sent, and a descriptor that came with them.
    ///
    /// - Parameter bytes: may be empty when they were put into `session.input` directly.
    public func receive(
        _ session: Session, _ bytes: UnsafeRawBufferPointer, descriptor: Int32? = nil
    ) {
        guard !session.isClosing, !session.isFinished else { return }
        if let descriptor { session.accept(descriptor) }
        if session.input.isEmpty, session.operation == nil {
            let consumed = run(session, bytes)
            session.input.append(UnsafeRawBufferPointer(rebasing: bytes[consumed...]))
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
            && session.input.count <= largestFrame(session) + limits.aheadByteCountMax
            && session.output.bytes.count <= limits.backlogByteCountMax
    }

    /// Bytes that are missing of the first frame in the buffer, when that is known; otherwise 0.
    public func missingByteCount(_ session: Session) -> Int {
        guard session.operation == nil else { return 0 }
        return max(0, largestFrame(session) - session.input.count)
    }

    /// Does slices of what is left to do.
    ///
    /// - Returns: whether there is more.
    public func work(while hasTime: () -> Bool) -> Bool {
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
        return firstQueued < queue.count
    }

    /// Sessions that have something to be sent or to be closed, each once.
    public func takeChanged() -> [Session] {
        tellSubscribers()
        let sessions = changed
        changed = []
        for session in sessions { session.isChanged = false }
        return sessions
    }

    /// Whether `work(while:)` has something to do.
    public var hasWork: Bool { firstQueued < queue.count }

    /// Whether `takeChanged()` has something to give.
    public var hasChanges: Bool { !changed.isEmpty || !store.notifications.isEmpty }
}

// MARK: - One session's turn

extension StoreService {
    private func enqueue(_ session: Session) {
        guard !session.isQueued else { return }
        session.isQueued = true
        queue.append(session)
    }

    private func turn(_ session: Session) {
        guard !session.isFinished else { return }
        runInput(session)
        report(session)
        afterRun(session)
    }

    private func runInput(_ session: Session) {
        let consumed = run(session, session.input.bytes)
        session.input.consume(consumed)
        if session.input.isEmpty { session.input.reset() }
    }

    /// Works on the frames in `bytes`; says how many bytes are done with.
    private func run(_ session: Session, _ bytes: UnsafeRawBufferPointer) -> Int {
        var position = 0
        do throws(WireError) {
            var left = limits.requestCountPerTurn
            while left > 0, !session.isFinished {
                let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
                guard let done = try runFirst(session, rest) else { return position }
                position += done
                left -= 1
            }
            if position < bytes.count { enqueue(session) }
        } catch {
            session.failure = error.description
        }
        return position
    }

    /// Works on the first frame of `bytes`; says how long it is, or `nil` when it is not done.
    private func runFirst(
        _ session: Session, _ bytes: UnsafeRawBufferPointer
    )
        throws(WireError) -> Int?
    {
        if session.isAwaitingDescriptor {
            guard bytes.count > 0 else { return nil }
            subscribe(session)
            return 1
        }
        guard session.output.bytes.count <= limits.backlogByteCountMax,
            let header = try FrameHeader(reading: bytes, bodyByteCountMax: dataByteCountMax)
        else { return nil }
        let limit = bodyByteCountMax(header.type)
        guard header.bodyByteCount <= limit else {
            throw .bodyByteCount(found: Int64(header.bodyByteCount), limit: limit)
        }
        let end = FrameHeader.byteCount + header.bodyByteCount
        guard bytes.count >= end else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount..<end])
        if session.isWaiting { return nil }
        let operation = session.operation ?? operation(header.type)
        guard let operation else {
            try answer(header.type, body, session)
            return session.operation == nil ? end : nil
        }
        session.operation = operation
        switch try operation.step(body, session, self) {
        case .finished:
            session.operation = nil
            return end
        case .more: enqueue(session)
        case .waiting: session.isWaiting = true
        }
        return nil
    }

    private func afterRun(_ session: Session) {
        wakeSatisfied()
        if session.isWaiting,
            session.input.count > largestFrame(session) + limits.aheadByteCountMax
        {
            session.failure =
                "sent \(session.input.count) bytes while waiting for a reply, limit is "
                + "\(limits.aheadByteCountMax)"
        }
        count(session)
        noteChange(session)
    }

    private func noteChange(_ session: Session) {
        guard !session.isChanged else { return }
        session.isChanged = true
        changed.append(session)
    }

    /// Lets the requests go on whose last object has come.
    private func wakeSatisfied() {
        guard !store.satisfied.isEmpty else { return }
        for number in store.satisfied {
            guard let session = sessions[Int(number)], session.isWaiting else { continue }
            session.isWaiting = false
            resume(session)
        }
        store.satisfied.removeAll(keepingCapacity: true)
    }

    private func release(_ session: Session) {
        let number = session.number
        guard store.releaseAll(number, countMax: limits.sliceCountMax),
            store.stopWaiting(number, countMax: limits.sliceCountMax)
        else {
            enqueue(session)
            return
        }
        store.closeSession(number)
        sessions[Int(number)] = nil
        sessionCount -= 1
    }
}

// MARK: - Limits

extension StoreService {
    /// Bytes of a message that carries objects.
    private var dataByteCountMax: Int {
        min(Int(Int32.max), store.capacity + limits.requestByteCountMax)
    }

    private func bodyByteCountMax(_ type: MessageType) -> Int {
        switch type {
        case .createAndSealRequest, .createAndSealBatchRequest: dataByteCountMax
        default: min(dataByteCountMax, limits.requestByteCountMax)
        }
    }

    /// Bytes of the first frame in the buffer, as far as its header tells.
    private func largestFrame(_ session: Session) -> Int {
        guard !session.isAwaitingDescriptor,
            let header = try? FrameHeader(
                reading: session.input.bytes, bodyByteCountMax: dataByteCountMax)
        else { return 0 }
        return FrameHeader.byteCount + header.bodyByteCount
    }

    /// Refuses a message that names too many objects.
    func check(_ ids: IDList) throws(WireError) {
        guard ids.count <= limits.idCountMax else {
            throw .entryCount(found: ids.count, limit: limits.idCountMax)
        }
    }

    /// Counts the memory of a session's buffers; the largest goes when all together are too large.
    public func count(_ session: Session) {
        let byteCount = session.isClosing ? 0 : session.bufferByteCount
        bufferedByteCount += byteCount - session.countedByteCount
        session.countedByteCount = byteCount
        let limit = limits.bufferByteCountMax + store.capacity
        guard bufferedByteCount > limit else { return }
        let largest = sessions.lazy.compactMap(\.self)
            .filter { !$0.isFinished && !$0.isClosing }
            .max { $0.countedByteCount < $1.countedByteCount }
        guard let largest else { return }
        largest.failure =
            "buffers of all clients take \(bufferedByteCount) bytes, limit is \(limit); this "
            + "client has the most with \(largest.countedByteCount)"
        noteChange(largest)
    }
}

// MARK: - Notifications

extension StoreService {
    private func subscribe(_ session: Session) {
        session.isAwaitingDescriptor = false
        guard let descriptor = session.takeDescriptor() else {
            session.failure = "subscribe came without a descriptor"
            return
        }
        endSubscription(session)
        session.subscription = Subscription(
            descriptor: descriptor, sealedOrderMax: store.order)
        // What was recorded for others belongs to this subscriber's first report as well.
        tellSubscribers()
        subscribers.append(session)
        store.notifications.isRecording = true
        enqueue(session)
    }

    /// Ends a client's notifications and closes the socket that it gave for them.
    public func endSubscription(_ session: Session) {
        guard session.subscription != nil else { return }
        session.subscription = nil
        subscribers.removeAll { $0 === session }
        store.notifications.isRecording = !subscribers.isEmpty
    }

    /// A slice of the first report: every object that was sealed when the client subscribed.
    private func report(_ session: Session) {
        guard let subscription = session.subscription, let first = subscription.nextSlot else {
            return
        }
        // The rest waits until the client has read; the caller resumes the session then.
        guard subscription.queue.count <= limits.backlogByteCountMax else { return }
        var rows: [ObjectInfo] = []
        let end = min(Int(first) + limits.sliceCountMax, store.table.slotCount + 1)
        for slot in Int(first)..<max(end, Int(first)) {
            let record = store.table[UInt32(slot)]
            if record.state == .sealed, record.sealedOrder <= subscription.sealedOrderMax {
                rows.append(record.info)
            }
        }
        if !rows.isEmpty { Notification.writeAdditions(rows, to: &subscription.queue) }
        subscription.nextSlot = end > store.table.slotCount ? nil : UInt32(end)
        if subscription.nextSlot != nil { enqueue(session) }
    }

    private func tellSubscribers() {
        guard !store.notifications.isEmpty else { return }
        store.notifications.drain { bytes in
            for session in subscribers {
                guard let subscription = session.subscription, !subscription.isBroken else {
                    continue
                }
                subscription.queue.append(bytes)
                if subscription.queue.count > limits.notificationByteCountMax {
                    subscription.isBroken = true
                }
                noteChange(session)
            }
        }
    }
}
