internal import AppendOnlyFile
internal import Commands
internal import ControlStore
internal import EventLoop
internal import Platform
internal import Server
internal import Settings

/// The server between its sockets: listeners, connections, the clock.
final class RunningServer {
    private let loop: Loop
    private let log: LogFile
    private var listeners: [Listener] = []
    private var clock: Timer?
    private var settings: ServerSettings
    private let diskProcessors: ProcessorSet?
    private let handlers: UnsafeMutablePointer<SocketConnection.Handlers>
    private let core: UnsafeMutablePointer<Server>
    private var lastClockTick: Int64 = 0
    private var keeper: LogKeeper?
    /// Why the server cannot go on.
    private(set) var failure: LogError?
    private var disk: DiskConnection?

    /// How often deadlines and idle connections are looked at.
    private static let tick = Duration.milliseconds(100)
    /// Descriptors that are no connections.
    private static let reservedDescriptorCount = 32

    init(
        _ loop: Loop, _ settings: ServerSettings, file: String?, log: LogFile,
        diskProcessors: ProcessorSet?
    ) throws(SocketError) {
        self.loop = loop
        self.log = log
        self.settings = settings
        self.diskProcessors = diskProcessors
        core = .allocate(capacity: 1)
        handlers = .allocate(capacity: 1)
        var random = SystemRandomNumberGenerator()
        core.initialize(
            to: Server(
                settings: settings, host: Self.host(file: file, log),
                seeds: HashSeeds(from: &random),
                unixMicroseconds: SystemClock.unixMicroseconds))
        let core = core
        handlers.initialize(
            to: SocketConnection.Handlers(
                readable: { Self.readable($0, core) }, writable: { Self.writable($0, core) }))
        disk = DiskConnection(loop, core, settings, on: diskProcessors)
        limitConnections()
        try listen()
        writePIDFile()
        clock = Timer(loop) { [unowned self] in
            checkIdle()
            clock?.schedule(after: Self.tick)
        }
        clock?.schedule(after: Self.tick)
    }

    /// Opens the append-only file, or the snapshot; what is in it is loaded in the next turns.
    func startKeeping() throws(LogError) {
        keeper = try LogKeeper(loop, core, settings, log, on: diskProcessors)
    }

    /// Ends connections and listeners.
    func stop() {
        for session in core.pointee.state.pointee.sessions {
            var transport = SocketTransport(core: core)
            core.pointee.flush(session, &transport)
        }
        listeners = []
        let isLogWhole = keeper?.stop() ?? true
        disk?.close(isLogWhole: isLogWhole)
        if !settings.pidFilePath.isEmpty { FileText.remove(settings.pidFilePath) }
        log.write(.warning, "gcs-server is now ready to exit, bye bye...")
    }

    // MARK: Turns

    /// The end of a turn: output, then a slice of maintenance.
    func finishTurn() -> Bool {
        core.pointee.begin(at: SystemClock.unixMicroseconds)
        var transport = SocketTransport(core: core)
        let isLoading = load()
        // Clients go on while the server works and the log is told, unless their replies wait for it.
        let isSentFirst = keeper.map { !$0.isAwaited } ?? true
        if isSentFirst { _ = core.pointee.send(&transport) }
        let isWorking = core.pointee.work()
        var isSending = isSentFirst && core.pointee.send(&transport)
        var isKeeping = keeper?.keep() ?? false
        if !isSentFirst { isSending = core.pointee.send(&transport) }
        if keeper?.clean() == true { isKeeping = true }
        disk?.carry(keeper)
        if core.pointee.state.pointee.isShuttingDown {
            log.write(.warning, "SHUTDOWN was asked for")
            loop.stop()
        }
        return isLoading || isWorking || isKeeping || isSending
    }

    private func load() -> Bool {
        do throws(LogError) {
            return try keeper?.load() ?? false
        } catch {
            failure = error
            loop.stop()
            return false
        }
    }

    private static func readable(
        _ connection: UnsafeMutablePointer<SocketConnection>, _ core: UnsafeMutablePointer<Server>
    ) {
        let session = connection.pointee.context.assumingMemoryBound(to: Session.self)
        let room = core.pointee.input(for: session)
        guard room.count > 0 else { return connection.pointee.setReading(false) }
        let count = connection.pointee.read(into: room)
        if count > 0 {
            core.pointee.received(count, from: session)
        } else if count < 0 {
            core.pointee.state.pointee.end(session, .dropped)
            connection.pointee.setReading(false)
        }
    }

    private static func writable(
        _ connection: UnsafeMutablePointer<SocketConnection>, _ core: UnsafeMutablePointer<Server>
    ) {
        let session = connection.pointee.context.assumingMemoryBound(to: Session.self)
        core.pointee.state.pointee.touch(session)
    }

    private func checkIdle() {
        let state = core.pointee.state
        let now = SystemClock.unixMilliseconds
        guard now - lastClockTick >= 1000 else { return }
        lastClockTick = now
        let limit = state.pointee.settings.idleTimeout.components.seconds * 1000
        for session in state.pointee.sessions {
            state.pointee.checkOutputLimit(session)
            guard limit > 0, session.pointee.subscriptionCount == 0, session.pointee.pending == nil,
                now - session.pointee.lastActiveAt > limit
            else { continue }
            log.write(.verbose, "closing idle client \(session.pointee.id)")
            state.pointee.end(session, .dropped)
        }
    }

    // MARK: Start

    private func limitConnections() {
        let wanted = settings.clientCountMax + Self.reservedDescriptorCount
        let allowed = SystemProcess.raiseOpenFileLimit(to: wanted)
        guard allowed < wanted else { return }
        let count = max(allowed - Self.reservedDescriptorCount, 1)
        log.write(
            .warning,
            "maxclients \(settings.clientCountMax) needs \(wanted) open files, the system allows "
                + "\(allowed): maxclients is now \(count)")
        core.pointee.state.pointee.settings.clientCountMax = count
    }

    private func listen() throws(SocketError) {
        if settings.port >= 0, !(settings.port == 0 && !settings.unixSocketPath.isEmpty) {
            for host in settings.bind { try listen(host) }
        }
        if !settings.unixSocketPath.isEmpty {
            listeners.append(
                try Listener.local(
                    loop, path: settings.unixSocketPath,
                    permissions: settings.unixSocketPermissions,
                    backlog: settings.tcpBacklog, accepted: accept))
            log.write(.notice, "listening on \(settings.unixSocketPath)")
        }
    }

    /// Listens on one address; one marked with `-` may be missing on this machine.
    private func listen(_ marked: String) throws(SocketError) {
        let isOptional = marked.hasPrefix("-")
        let host = isOptional ? String(marked.dropFirst()) : marked
        // Further addresses share the port that the system chose for the first.
        let port = listeners.first { $0.port > 0 }?.port ?? settings.port
        do throws(SocketError) {
            let listener = try Listener.tcp(
                loop, host: host, port: port, backlog: settings.tcpBacklog, accepted: accept)
            listeners.append(listener)
            core.pointee.state.pointee.host.port = listener.port
            log.write(.notice, "listening on \(host) port \(listener.port)")
        } catch {
            guard isOptional else { throw error }
            log.write(.verbose, "\(error)")
        }
    }

    private func writePIDFile() {
        guard !settings.pidFilePath.isEmpty else { return }
        if let reason = FileText.replace(settings.pidFilePath, "\(SystemProcess.id)\n") {
            log.write(.warning, "cannot write pidfile \(settings.pidFilePath): \(reason)")
        }
    }

    private func accept(_ descriptor: Int32, _ address: PeerAddress) {
        var refusal = ""
        guard
            let session = core.pointee.open(
                peer: address.peer, local: address.local, isLocal: address.isLocal,
                isLoopback: address.isLoopback, refusal: &refusal)
        else {
            SocketConnection.refuse(descriptor, refusal)
            return
        }
        let connection = SocketConnection.open(loop, descriptor, handlers, context: session)
        session.pointee.transport = UnsafeMutableRawPointer(connection)
        let keepAlive = core.pointee.state.pointee.settings.tcpKeepAlive.components.seconds
        if !address.isLocal, keepAlive > 0 { connection.pointee.setKeepAlive(seconds: keepAlive) }
    }

    private static func host(file: String?, _ log: LogFile) -> Host {
        var host = Host()
        host.residentByteCount = { SystemProcess.residentByteCount }
        host.processorSeconds = { SystemProcess.processorSeconds }
        host.processID = SystemProcess.id
        host.executable = SystemProcess.executable
        host.configurationFile = file ?? ""
        host.log = { level, text in log.write(level, text) }
        host.settingsChanged = { settings in log.level = settings.logLevel }
        host.probeLog = LogProbe.run
        if let file {
            host.rewriteSettings = { settings in
                let old = FileText.read(file) ?? ""
                guard
                    let reason = FileText.replace(
                        file, ServerSettings.table.rewrite(old, with: settings))
                else { return nil }
                return "Rewriting config file: \(reason)"
            }
        }
        return host
    }
}

/// The server's transport over sockets.
struct SocketTransport: Transport {
    let core: UnsafeMutablePointer<Server>

    private func connection(_ session: SessionPointer) -> UnsafeMutablePointer<SocketConnection>? {
        session.pointee.transport?.assumingMemoryBound(to: SocketConnection.self)
    }

    mutating func send(
        _ session: SessionPointer, _ chunk: UnsafeBufferPointer<UInt8>,
        _ queue: UnsafeBufferPointer<UInt8>
    ) -> Int {
        guard let connection = connection(session) else { return -1 }
        return chunk.count == 0
            ? connection.pointee.send(queue, chunk) : connection.pointee.send(chunk, queue)
    }

    mutating func awaitRoom(_ session: SessionPointer, _ isWaiting: Bool) {
        guard let connection = connection(session) else { return }
        connection.pointee.setWriting(isWaiting)
        connection.pointee.setReading(core.pointee.wantsInput(session))
    }

    mutating func close(_ session: SessionPointer) {
        if let connection = connection(session) { SocketConnection.close(connection) }
        core.pointee.state.pointee.closeSession(session)
    }
}
