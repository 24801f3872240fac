internal import CSystem
internal import EventLoop
internal import Glibc
internal import PlasmaProtocol
internal import PlasmaStore
internal import Platform

/// The running store: one loop, one listening socket, its clients.
final class Program {
    let loop = Loop()
    let service: StoreService
    /// Where all clients' bytes are received first.
    let scratch = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 64)
    /// Room for the descriptors of one message.
    let passed = UnsafeMutablePointer<Int32>.allocate(capacity: Int(GCS_DESCRIPTOR_COUNT_MAX))
    private let listener: Listener
    private let isMeasuring: Bool
    private var connections: [ObjectIdentifier: Connection] = [:]
    private var watches: [Watch] = []
    private var signals: [SignalWatch] = []
    private lazy var acceptTimer = Timer(loop) { [unowned self] in
        watches.first?.setActive(true)
    }
    private lazy var unreadTimer = Timer(loop) { [unowned self] in dropUnread() }
    private lazy var memoryTimer = Timer(loop) { [unowned self] in
        isGiveBackDue = false
        isGivingBack = true
    }
    private lazy var stalledTimer = Timer(loop) { [unowned self] in
        updateTime()
        service.expireRestores()
    }
    /// Whether `memoryTimer` runs.
    private var isGiveBackDue = false
    private var isGivingBack = false
    private var clientLog = ClientLog()
    private var meter: TurnMeter?

    /// When the present turn began; 0 before the time was asked for in it.
    private var turnBegan: UInt64 = 0
    /// What the system's clock is ahead of the one that never jumps, and until when that is believed.
    private var unixAhead: Int64 = 0
    private var unixAheadEnd: Int64 = 0

    /// Work ends so long after the beginning of a turn, sending and giving memory back somewhat
    /// later; each does one slice at least.
    private static let workNanoseconds: UInt64 = 100_000
    private static let sendNanoseconds: UInt64 = 150_000
    private static let memoryNanoseconds: UInt64 = 150_000
    /// Turns that took all their time already put giving memory back off, so many in a row at most.
    private static let putOffCountMax = 16
    private var putOffCount = 0

    init(_ options: Options) throws(StartError) {
        do throws(ArenaError) {
            service = try StoreService(options.configuration(), limits: options.limits)
        } catch {
            throw StartError(error.description)
        }
        listener = try Listener(path: options.socketPath)
        isMeasuring = options.isMeasuring
        raiseDescriptorLimit()
        ForeignDescriptors.prepare()
        // A limit on the size of files is a full disk, not an end.
        signal(SIGXFSZ, SIG_IGN)
        // Left alone, the C library keeps large blocks among the small ones once it has freed one, and
        // growing them copies: 8 ms for 20 MB, during which all clients wait.
        gcs_map_blocks(256 << 10)
        let place = options.directory.map { "files in \($0)" } ?? "memory"
        log("\(options.capacity) bytes in \(place), listening on \(options.socketPath)")
        let physical = sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE))
        if options.directory == nil, options.capacity > physical {
            log("warning: -m \(options.capacity) is more than this machine's \(physical) bytes")
        }
    }

    deinit {
        scratch.deallocate()
        passed.deallocate()
    }

    /// Serves until SIGTERM or SIGINT.
    func run() {
        watches = [
            Watch(loop, listener.descriptor, .readable) { [unowned self] in accept() }
        ]
        if let descriptor = service.externalDescriptor {
            watches.append(
                Watch(loop, descriptor, .readable) { [unowned self] in
                    updateTime()
                    service.takeExternalResults()
                })
        }
        signals = [SIGTERM, SIGINT].map { number in
            SignalWatch(loop, number) { [unowned self] in
                log("signal \(number): ending with \(connections.count) clients")
                loop.stop()
            }
        }
        updateTime()
        if isMeasuring {
            service.turnLine = { [unowned self] in meter?.takeLine() ?? "" }
            meter = TurnMeter()
        }
        service.hasTime = { [unowned self] in
            SystemClock.monotonicNanoseconds < turnBegan + Self.workNanoseconds
        }
        loop.run { afterTurn() }
    }

    /// Tells the service what time it is.
    func updateTime() {
        let now = SystemClock.monotonicNanoseconds
        if turnBegan == 0 { turnBegan = now }
        let milliseconds = Int64(now / 1_000_000)
        if milliseconds >= unixAheadEnd {
            unixAhead = SystemClock.unixMilliseconds - milliseconds
            unixAheadEnd = milliseconds + 1000
        }
        service.time = StoreTime(
            unixSeconds: (milliseconds + unixAhead) / 1000, monotonicMilliseconds: milliseconds)
    }

    /// Writes what the service has for the log.
    ///
    /// Comes before replies are sent: who sees an error finds its reason in the log.
    func logMessages() {
        guard service.hasMessages else { return }
        for message in service.takeMessages() { log(message) }
    }

    /// Logs what a client caused.
    func logClient(_ line: @autoclosure () -> String) {
        clientLog.write(line(), now: service.time.monotonicMilliseconds)
    }

    /// Forgets a client.
    func drop(_ connection: Connection, because reason: String?) {
        guard connections.removeValue(forKey: ObjectIdentifier(connection)) != nil else { return }
        if let reason {
            logClient("client of process \(connection.session.processID) dropped: \(reason)")
        }
        connection.close()
        service.close(connection.session)
    }

    /// A client has not taken its replies: looked at again after a while.
    func watchUnread() {
        if !unreadTimer.isScheduled { unreadTimer.schedule(after: .seconds(5)) }
    }

    private func accept() {
        updateTime()
        for _ in 0..<64 {
            let socket = gcs_accept(listener.descriptor)
            if socket < 0 {
                guard errno == EMFILE || errno == ENFILE || errno == ENOMEM else { return }
                pauseAccepting("too many open files")
                return
            }
            guard let session = service.open(processID: gcs_peer_process(socket)) else {
                logClient("client refused: \(service.limits.sessionCountMax) clients are connected")
                ForeignDescriptors.close(socket)
                return
            }
            let connection = Connection(socket, session, self)
            connections[ObjectIdentifier(connection)] = connection
        }
    }

    /// Level-triggered readiness would otherwise turn the loop without a pause.
    private func pauseAccepting(_ reason: String) {
        log("cannot accept a client: \(reason); trying again in 200 ms")
        watches.first?.setActive(false)
        acceptTimer.schedule(after: .milliseconds(200))
    }

    private func afterTurn() -> Bool {
        meter?.end(.events)
        if service.hasWork {
            updateTime()
            _ = service.work()
        }
        meter?.end(.work)
        logMessages()
        if service.hasChanges {
            for session in service.takeChanged() {
                guard let connection = session.context as? Connection else { continue }
                connection.flush(self)
            }
        }
        meter?.end(.sending)
        if service.hasStalledRestores, !stalledTimer.isScheduled {
            stalledTimer.schedule(after: .seconds(1))
        }
        if isGivingBack { isGivingBack = giveBackMemory() }
        if service.hasIdleMemory, !isGivingBack, !isGiveBackDue {
            isGiveBackDue = true
            memoryTimer.schedule(after: .milliseconds(100))
        }
        turnBegan = 0
        meter?.end(.memory)
        meter?.endTurn()
        return service.hasWork || service.hasChanges || isGivingBack
    }

    /// Whether more may be sent to the same client in this turn.
    var hasTimeToSend: Bool { SystemClock.monotonicNanoseconds < turnBegan + Self.sendNanoseconds }

    private func giveBackMemory() -> Bool {
        updateTime()
        let end = turnBegan + Self.memoryNanoseconds
        if SystemClock.monotonicNanoseconds >= end, putOffCount < Self.putOffCountMax {
            putOffCount += 1
            return true
        }
        putOffCount = 0
        return service.giveBackMemory { SystemClock.monotonicNanoseconds < end }
    }

    private func dropUnread() {
        updateTime()
        let now = service.time.monotonicMilliseconds
        let limit = service.limits.unreadSecondsMax
        let blocked = connections.values.filter(\.isBlocked)
        for connection in blocked where now - connection.lastSent > limit * 1000 {
            drop(
                connection,
                because: "took none of its \(connection.session.output.bytes.count) bytes of "
                    + "replies for \(limit) seconds")
        }
        if connections.values.contains(where: \.isBlocked) { watchUnread() }
    }
}

/// As many descriptors as the system lets the process have: one per client and subscriber.
private func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
}
