public import ControlStore
internal import Identifiers
internal import RESP
internal import Settings

/// Where flushing stands, besides what the tables know.
public struct FlushState {
    /// Whether there is a disk to flush to; set by the owner that carries its requests.
    public var hasDisk = false
    /// Bytes of the files on disk, as far as known; set by the owner.
    public var diskByteCount = 0
    /// Records that one slice looks at.
    var sliceBudget = 256
    /// Whether requests are looked at before they run: records are on disk, or memory is nearly full.
    @usableFromInline var isWatching = false
    /// Bytes of records above which writes wait, as of the last slice.
    var ceilingByteCount = Int.max
    /// Whether writes wait for the disk.
    public internal(set) var isThrottling = false
    /// Milliseconds since 1970 when the policy's last period began.
    var periodStartedAt: Int64 = 0
    var flushedAtPeriodStart = 0
    /// Milliseconds since 1970 when a record was flushed last.
    var lastFlushAt: Int64 = 0
    var lastFlushedCount = 0
    /// Records flushed in the last whole second.
    var rate = 0
    var rateSecond: Int64 = 0
    var flushedAtSecond = 0
    var readCount = 0
    var emptyReadCount = 0
    var throttledCount = 0
    var loggedFailure: String?
    var lastTicket: UInt64 = 0
    /// Who waits for an answer of the disk.
    var waits: [UInt64: SessionPointer] = [:]
    /// Connections that wait in GCS.FLUSH.
    var flushers: [SessionPointer] = []
    /// Connections whose write waits for room, first to last.
    var throttled: [SessionPointer] = []
}

extension ServerState {
    /// The policy in force; `nil` for none.
    var flushPolicy: (any FlushPolicy)? {
        let period = settings.flushPeriod.components.seconds * 1000
        switch settings.flushPolicy {
        case .none: return nil
        case .simple:
            return SimpleFlushPolicy(
                windowByteCount: settings.flushWindowByteCount, periodMilliseconds: period,
                recordCountPerPeriod: settings.flushRecordCountPerPeriod)
        case .age:
            return AgeFlushPolicy(
                ageMilliseconds: settings.flushAge.components.seconds * 1000,
                periodMilliseconds: period)
        }
    }

    /// Not while loading: what is on disk is not known yet.
    var canFlush: Bool {
        !isLoading && (settings.flushTarget == .discard || flush.hasDisk)
    }

    /// Bytes of records above which writes wait; the greatest number when they do not.
    private var ceilingByteCount: Int {
        guard canFlush, store.flushFailure == nil else { return .max }
        return flushPolicy?.ceilingByteCount ?? .max
    }

    /// Does a slice of flushing between turns.
    ///
    /// - Returns: whether more can be done at once.
    public mutating func advanceFlush() -> Bool {
        flush.ceilingByteCount = ceilingByteCount
        guard canFlush || store.hasDiskParts || store.isFlushing else { return false }
        let demand = canFlush ? flushDemand() : FlushDemand()
        var isMore = false
        if !demand.isEmpty || store.isFlushing || store.hasDiskParts {
            isMore = store.flushSlice(demand, budget: flush.sliceBudget)
        }
        noteProgress()
        answerFlushers()
        resumeThrottled()
        flush.isWatching =
            store.hasDiskParts || store.heldByteCount > settings.flushWindowByteCount
        return isMore
    }

    private mutating func flushDemand() -> FlushDemand {
        var demand = FlushDemand()
        if let policy = flushPolicy {
            demand = policy.demand(
                FlushSituation(
                    heldByteCount: store.heldByteCount, now: now,
                    periodStartedAt: flush.periodStartedAt,
                    flushedCount: store.flushedCount - flush.flushedAtPeriodStart))
            if demand.beginsPeriod {
                (flush.periodStartedAt, flush.flushedAtPeriodStart) = (now, store.flushedCount)
            }
        }
        for session in flush.flushers {
            guard case .flush(_, let target)? = session.pointee.pending?.work else { continue }
            demand.recordCount = max(demand.recordCount, target - store.flushedCount)
        }
        return demand
    }

    private mutating func noteProgress() {
        if store.flushedCount != flush.lastFlushedCount {
            (flush.lastFlushedCount, flush.lastFlushAt) = (store.flushedCount, now)
        }
        let second = now / 1000
        if second != flush.rateSecond {
            let seconds = flush.rateSecond == 0 ? 1 : Int(max(second - flush.rateSecond, 1))
            flush.rate = (store.flushedCount - flush.flushedAtSecond) / seconds
            (flush.rateSecond, flush.flushedAtSecond) = (second, store.flushedCount)
        }
        let failure = store.flushFailure
        guard failure != flush.loggedFailure else { return }
        flush.loggedFailure = failure
        if let failure {
            host.log(.warning, "flushing has stopped, writes go on in memory: \(failure)")
        } else {
            host.log(.notice, "flushing goes on")
        }
    }

    private mutating func answerFlushers() {
        guard !flush.flushers.isEmpty else { return }
        let failure = store.flushFailure
        for session in flush.flushers {
            guard let pending = session.pointee.pending,
                case .flush(let start, let target) = pending.work
            else { continue }
            let count = store.flushedCount
            if count >= target || store.isFlushExhausted {
                answer(session) { state in
                    state.output.integer(count - start)
                    return true
                }
            } else if let failure {
                answer(session) { state in
                    state.output.error("FLUSHFAILED \(failure)")
                    return true
                }
            }
        }
        flush.flushers.removeAll { $0.pointee.pending == nil }
    }
}

// MARK: - Requests that wait

extension ServerState {
    /// Puts a connection among those that are answered later, or whose input is gone on with later.
    public mutating func putAside(_ session: SessionPointer) {
        guard !session.pointee.isWaiting else { return }
        session.pointee.isWaiting = true
        waiting.append(session)
    }

    /// Whether a request has to wait for room or for the disk; it is put aside then.
    @inline(never)
    mutating func mustWait(_ position: Int, _ words: Words, _ session: SessionPointer) -> Bool {
        if commands.commands[position].flags.contains(.addsRecords), isFull {
            flush.throttledCount += 1
            flush.throttled.append(session)
            hold(HeldRequest(position, words, nil), session)
            return true
        }
        guard store.hasDiskParts else { return false }
        let missing = missingRecords(position, words)
        guard !missing.isEmpty, let read = store.diskRead(missing) else { return false }
        let request = HeldRequest(position, words, read)
        hold(request, session)
        ask(request, session)
        return true
    }

    private mutating func hold(_ request: HeldRequest, _ session: SessionPointer) {
        session.pointee.pending = Pending(.request(request), version: session.pointee.version)
        putAside(session)
    }

    private mutating func ask(_ request: HeldRequest, _ session: SessionPointer) {
        guard let read = request.read else { return }
        store.request(read, ticket: makeTicket(for: session))
        flush.readCount += 1
    }

    /// A number for the disk's answer to one connection.
    mutating func makeTicket(for session: SessionPointer) -> UInt64 {
        flush.lastTicket += 1
        flush.waits[flush.lastTicket] = session
        session.pointee.pending?.ticket = flush.lastTicket
        return flush.lastTicket
    }

    /// Whether memory has no room for more records until some were flushed.
    private var isFull: Bool {
        store.heldByteCount > flush.ceilingByteCount && !store.isFlushExhausted
    }

    private mutating func resumeThrottled() {
        flush.isThrottling = isFull
        guard !flush.throttled.isEmpty else { return }
        var resumed = 0
        let waiting = flush.throttled
        while resumed < waiting.count, !isFull {
            if let pending = waiting[resumed].pointee.pending,
                case .request(let request) = pending.work
            {
                goOn(request, waiting[resumed], absent: [])
            }
            resumed += 1
        }
        flush.throttled.removeFirst(resumed)
    }

    /// Forgets what a connection waited for: it is gone.
    mutating func forgetWaits(of session: SessionPointer) {
        if let pending = session.pointee.pending {
            if pending.ticket != 0 { flush.waits[pending.ticket] = nil }
            endWalk(pending)
        }
        flush.flushers.removeAll { $0 == session }
        flush.throttled.removeAll { $0 == session }
    }

    /// Takes in an answer of the disk.
    public mutating func receive(_ reply: DiskReply) {
        switch reply {
        case .put, .deleted, .dropped, .begun, .renamed, .kept, .listed:
            store.receive(reply)
        case .read(let ticket, let values, let failure)
        where ticket & ControlStore.jobTicketBit != 0:
            store.receive(forJob: ticket, values, failure: failure)
        case .read(let ticket, let values, let failure):
            guard let session = flush.waits.removeValue(forKey: ticket),
                let pending = session.pointee.pending, case .request(let request) = pending.work,
                let read = request.read
            else { return }
            if let failure { return refuse(session, failure) }
            if values.allSatisfy({ $0 == nil }) { flush.emptyReadCount += 1 }
            var absent: Set<RecordKey> = []
            if let brought = store.take(read, values) {
                request.brought.add(brought)
                absent = Set(zip(read.keys, values).filter { $0.1 == nil }.map(\.0))
            }
            goOn(request, session, absent: absent)
        case .scan(let ticket, let keys, let next, let failure):
            guard let session = flush.waits.removeValue(forKey: ticket),
                let pending = session.pointee.pending
            else { return }
            pending.ticket = 0
            if let failure { return refuse(session, failure) }
            takeScan(session, pending, keys, next)
        }
    }

    /// Carries a request out when all that it names is in memory; reads what is not, or has left since.
    private mutating func goOn(
        _ request: HeldRequest, _ session: SessionPointer, absent: Set<RecordKey>
    ) {
        var missing: [RecordKey] = []
        request.words.withWords { missing = missingRecords(request.position, $0) }
        guard !missing.allSatisfy({ absent.contains($0) }), let read = store.diskRead(missing)
        else {
            return rerun(session, request.brought)
        }
        request.read = read
        ask(request, session)
    }

    private mutating func refuse(_ session: SessionPointer, _ failure: String) {
        if let pending = session.pointee.pending { endWalk(pending) }
        answer(session) { state in
            state.writeDiskError(failure)
            return true
        }
    }

    /// Tells that flushed records could not be read.
    mutating func writeDiskError(_ failure: String) {
        output.error("DISKERROR flushed records cannot be read: \(failure)")
    }

    /// Carries out a request that was put aside.
    private mutating func rerun(_ session: SessionPointer, _ brought: BroughtRecords) {
        guard let pending = session.pointee.pending, case .request(let request) = pending.work
        else {
            return
        }
        session.pointee.pending = nil
        let start = output.count
        withUnsafeMutablePointer(to: &self) { state in
            request.words.withWords { words in
                Self.execute(words, of: session, state, isReady: true)
            }
        }
        if session.pointee.pending == nil { store.letGo(brought) }
        guard output.count > start else { return }
        send(session, output.base + start, output.count - start)
        output.truncate(to: start)
    }
}
