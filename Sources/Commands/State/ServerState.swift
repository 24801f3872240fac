public import ControlStore
public import RESP
public import Settings

/// Everything the server knows; one owner, the loop's thread.
public struct ServerState: ~Copyable {
    /// The tables.
    public var store: ControlStore
    /// The settings in force.
    public var settings: ServerSettings
    /// Replies of the present turn of the loop, of all connections.
    public var output = ReplyWriter(capacity: 64 << 10)
    /// Where messages and long replies are put together.
    public var scratch = ReplyWriter()
    /// Connections with output to send or a phase to act on, since the last turn.
    public var dirty: [SessionPointer] = []
    /// Connections with output that waits until changes are on the disk.
    public var held: [SessionPointer] = []
    /// Connections whose request is answered in slices or later.
    public var waiting: [SessionPointer] = []
    /// Every connection.
    public internal(set) var sessions: [SessionPointer] = []
    /// What the program around the server does for it.
    public var host: Host
    /// Microseconds since 1970, set before each turn.
    public var unixMicroseconds: Int64 = 0
    /// Microseconds since 1970 when it started.
    public let startedAt: Int64
    /// 40 hexadecimal digits, others for each run.
    public let runID: String
    /// Whether an append-only file is being taken in.
    public var isLoading = false { didSet { checkRestriction() } }
    /// The append-only file and snapshots.
    public var persistence = Persistence() { didSet { checkRestriction() } }
    /// Whether some commands are refused: while loading, or when nothing can be written.
    private(set) var isRestricted = false
    /// Counters for INFO.
    public var statistics = Statistics()
    /// Where flushing stands.
    public var flush = FlushState()
    /// The connections that registered nodes last, by the node's name.
    var registrants: [[UInt8]: UInt64] = [:]
    /// Set by SHUTDOWN.
    public var isShuttingDown = false

    let commands: CommandTable
    var channels = Channels()
    var random: SystemRandomNumberGenerator
    private var lastSessionID: UInt64 = 0

    /// An empty server.
    public init(settings: ServerSettings, host: Host, seeds: HashSeeds, unixMicroseconds: Int64) {
        self.settings = settings
        self.host = host
        self.unixMicroseconds = unixMicroseconds
        startedAt = unixMicroseconds
        store = ControlStore(seeds: seeds)
        commands = CommandTable(Command.all)
        random = SystemRandomNumberGenerator()
        var digits = ""
        for _ in 0..<40 { digits += String(Int.random(in: 0..<16, using: &random), radix: 16) }
        runID = digits
        statistics.calls = .init(repeating: 0, count: commands.count)
        settingsChanged()
    }

    private mutating func checkRestriction() {
        isRestricted = isLoading || !persistence.error.isEmpty
    }

    /// Milliseconds since 1970.
    public var now: Int64 { unixMicroseconds / 1000 }

    /// Makes the settings act on the tables.
    public mutating func settingsChanged() {
        store.tombstoneMilliseconds = settings.batchTombstone.components.seconds * 1000
        store.logCountMax = settings.deletionLogLengthMax
        store.isCountingReferences = settings.referenceCounting
        store.nodeTimeoutMilliseconds = settings.nodeTimeout.components.seconds * 1000
        store.setDiscarding(settings.flushTarget == .discard)
        host.settingsChanged(settings)
    }
}

/// Counters since the start, or since CONFIG RESETSTAT.
public struct Statistics: Sendable {
    /// Connections accepted.
    public var connectionCount = 0
    /// Connections refused above `maxclients`.
    public var rejectedConnectionCount = 0
    /// Commands carried out.
    public var commandCount = 0
    /// Bytes received.
    public var inputByteCount = 0
    /// Bytes sent.
    public var outputByteCount = 0
    /// Messages published.
    public var publishedCount = 0
    /// Connections dropped for unread output.
    public var outputLimitCount = 0
    /// Requests answered with an error.
    public var errorCount = 0
    /// Batches collected because their time passed.
    public var expiredBatchCount = 0
    /// Calls of each command, by its position in the table.
    public var calls: [Int] = []

    mutating func reset() {
        let commandCount = calls.count
        self = Statistics()
        calls = .init(repeating: 0, count: commandCount)
    }
}

// MARK: - Sessions

extension ServerState {
    /// Takes a connection in.
    public mutating func openSession(peer: String, local: String, isLocal: Bool) -> SessionPointer {
        lastSessionID += 1
        statistics.connectionCount += 1
        let session = SessionPointer.allocate(capacity: 1)
        session.initialize(
            to: Session(id: lastSessionID, peer: peer, local: local, isLocal: isLocal, now: now))
        session.pointee.position = sessions.count
        sessions.append(session)
        return session
    }

    /// Forgets a connection that is gone.
    public mutating func closeSession(_ session: SessionPointer) {
        for channel in session.pointee.channels { channels.unsubscribe(session, from: channel) }
        for pattern in session.pointee.patterns {
            channels.unsubscribe(session, fromPattern: pattern)
        }
        dirty.removeAll { $0 == session }
        waiting.removeAll { $0 == session }
        if session.pointee.held.byteCount > 0 { held.removeAll { $0 == session } }
        forgetWaits(of: session)
        let position = session.pointee.position
        sessions.swapAt(position, sessions.count - 1)
        sessions[position].pointee.position = position
        sessions.removeLast()
        if let input = session.pointee.input {
            input.deinitialize(count: 1)
            input.deallocate()
        }
        session.pointee.queue.release()
        session.deinitialize(count: 1)
        session.deallocate()
    }

    /// Notes that a connection has output or a new phase.
    @inline(__always)
    public mutating func touch(_ session: SessionPointer) {
        guard !session.pointee.isDirty else { return }
        session.pointee.isDirty = true
        dirty.append(session)
    }

    /// Ends a connection: when its output is sent, or at once.
    public mutating func end(_ session: SessionPointer, _ phase: Session.Phase) {
        guard session.pointee.phase != .dropped else { return }
        session.pointee.phase = phase
        touch(session)
    }

    /// Adds bytes to what a connection is to be sent, behind its replies of this turn.
    mutating func send(_ session: SessionPointer, _ bytes: UnsafePointer<UInt8>, _ byteCount: Int) {
        guard session.pointee.phase == .open else { return }
        session.pointee.queue.append(bytes, byteCount)
        touch(session)
        checkOutputLimit(session)
    }

    /// Drops a connection that leaves too much unread.
    public mutating func checkOutputLimit(_ session: SessionPointer) {
        let unread =
            session.pointee.queue.count + session.pointee.chunkEnd - session.pointee.chunkStart
        guard unread > 64 << 10 else {
            session.pointee.aboveSoftLimitSince = 0
            return
        }
        let limit =
            session.pointee.subscriptionCount > 0
            ? settings.outputBufferLimits.pubsub : settings.outputBufferLimits.normal
        var isOver = limit.hardByteCount > 0 && unread > limit.hardByteCount
        if limit.softByteCount > 0, unread > limit.softByteCount {
            if session.pointee.aboveSoftLimitSince == 0 {
                session.pointee.aboveSoftLimitSince = now
            }
            let since = now - session.pointee.aboveSoftLimitSince
            isOver = isOver || Duration.milliseconds(since) > limit.softDuration
        } else {
            session.pointee.aboveSoftLimitSince = 0
        }
        guard isOver, session.pointee.phase != .dropped else { return }
        statistics.outputLimitCount += 1
        host.log(
            .warning,
            "client \(session.pointee.id) at \(session.pointee.peer) dropped: \(unread) bytes unread "
                + "exceed client-output-buffer-limit")
        session.pointee.queue.release()
        end(session, .dropped)
    }
}

extension ServerState {
    /// Notes whose connection registered a node, and drops the one that did so before.
    ///
    /// Otherwise what comes late on a connection that the node has given up would be taken for its
    /// present state: a registration above all, which makes the server forget what it reported since.
    mutating func takeOver(_ name: [UInt8], by session: SessionPointer) {
        let previous = registrants.updateValue(session.pointee.id, forKey: name)
        guard let previous, previous != session.pointee.id,
            let other = sessions.first(where: { $0.pointee.id == previous })
        else { return }
        let node = String(decoding: name, as: UTF8.self)
        host.log(
            .notice,
            "client \(previous) at \(other.pointee.peer) dropped: node \(node) registered on another "
                + "connection")
        end(other, .dropped)
    }
}

// MARK: - Publishing

extension ServerState {
    /// Sends a message to everyone who subscribed to its channel, or to a pattern that matches.
    ///
    /// - Returns: how many receive it.
    @discardableResult
    public mutating func publish(_ channel: [UInt8], _ message: [UInt8]) -> Int {
        statistics.publishedCount += 1
        var receivers = deliver(channels.subscribers(of: channel)) { writer in
            writer.push(3)
            writer.bulk("message")
            writer.bulk(channel)
            writer.bulk(message)
        }
        for (pattern, entry) in channels.patterns where entry.glob.matches(channel) {
            receivers += deliver(entry.subscribers) { writer in
                writer.push(4)
                writer.bulk("pmessage")
                writer.bulk(pattern)
                writer.bulk(channel)
                writer.bulk(message)
            }
        }
        return receivers
    }

    /// Encodes a message once for each protocol version in use, and queues it.
    private mutating func deliver(
        _ subscribers: [SessionPointer], _ write: (inout ReplyWriter) -> Void
    ) -> Int {
        for version in [2, 3] as [UInt8] {
            var isWritten = false
            for session in subscribers where session.pointee.version == version {
                if !isWritten {
                    scratch.truncate(to: 0)
                    scratch.version = version
                    write(&scratch)
                    isWritten = true
                }
                send(session, scratch.base, scratch.count)
            }
        }
        scratch.truncate(to: 0)
        return subscribers.count
    }

    /// Announces deletions: keyspace events, messages, and readers of the log that wait.
    public mutating func announceDeletions() {
        guard !store.announcements.isEmpty else { return }
        let deletions = store.announcements
        store.announcements.removeAll(keepingCapacity: deletions.count < 64)
        for deletion in deletions {
            publish(deletion.channel, deletion.message)
            if case .batch(_, let reason, _, _, _, _) = deletion.subject {
                if reason == .timeout { statistics.expiredBatchCount += 1 }
                notify(
                    reason == .timeout ? .expired : .generic,
                    reason == .timeout ? "expired" : "del", key: deletion.channel)
            }
        }
        wakeLogReaders()
    }

    /// Publishes a keyspace event, if it is asked for.
    mutating func notify(_ event: KeyspaceEvents, _ name: String, key: [UInt8]) {
        let wanted = settings.keyspaceEvents
        guard !wanted.isDisjoint(with: event) else { return }
        if wanted.contains(.keyspaceChannel) {
            publish(Array("__keyspace@0__:".utf8) + key, Array(name.utf8))
        }
        if wanted.contains(.keyeventChannel) {
            publish(Array("__keyevent@0__:\(name)".utf8), key)
        }
    }
}

extension ServerState {
    /// Full names of the commands that were called since the start, or since CONFIG RESETSTAT.
    public var calledCommands: Set<String> {
        Set(
            commands.fullNames.indices.filter { statistics.calls[$0] > 0 }.map {
                commands.fullNames[$0]
            })
    }

    /// Full names of all commands, containers with them.
    public var commandNames: [String] { commands.fullNames }
}
