public import Commands
public import ControlStore
internal import RESP
public import Settings

/// What carries a server's bytes: sockets in `gcs-server`, memory in tests.
public protocol Transport: ~Copyable {
    /// Sends what it can of two runs of bytes, in this order.
    ///
    /// - Returns: the bytes taken; -1 when the connection is broken.
    mutating func send(
        _ session: SessionPointer, _ chunk: UnsafeBufferPointer<UInt8>,
        _ queue: UnsafeBufferPointer<UInt8>
    ) -> Int
    /// Asks to be called when more can be sent, or no longer.
    mutating func awaitRoom(_ session: SessionPointer, _ isWaiting: Bool)
    /// Closes the connection; its session is gone after this.
    mutating func close(_ session: SessionPointer)
}

/// The whole server without its sockets: bytes in, bytes out.
///
/// The owner calls, in each turn of its loop: `begin(at:)`; `input(for:)` and `received(_:from:)` for
/// each connection with input; `finish(_:)` at the end.
public struct Server: ~Copyable {
    /// Everything the server knows.
    public let state: UnsafeMutablePointer<ServerState>
    private var parser = RequestParser()
    private let room: UnsafeMutablePointer<UInt8>
    private var limits = RequestParser.Limits()
    var holding = Holding()
    /// Where the output of the connection being served begins.
    private var outputStart = 0

    /// Bytes of input that one connection is read for in a turn.
    private static let roomByteCount = 64 << 10
    /// Bytes of reply after which a connection's part of the shared output moves to its own queue.
    private static let chunkByteCountMax = 1 << 20
    /// Bytes of held input after which a turn begins no other request of the connection.
    private static let drainedByteCountMax = 64 << 10
    /// Bytes of input that wait for a reply or for their turn, above which a connection is not read.
    private static let waitingByteCountMax = 64 << 10
    /// Bytes that one connection is read for in a turn when a request lacks so many: a copy into fresh
    /// memory takes some three times as long as one into `room`.
    private static let pieceByteCountMax = 256 << 10

    /// An empty server.
    public init(settings: ServerSettings, host: Host, seeds: HashSeeds, unixMicroseconds: Int64) {
        state = .allocate(capacity: 1)
        state.initialize(
            to: ServerState(
                settings: settings, host: host, seeds: seeds, unixMicroseconds: unixMicroseconds))
        room = .allocate(capacity: Self.roomByteCount)
    }

    deinit {
        for session in state.pointee.sessions { state.pointee.closeSession(session) }
        state.deinitialize(count: 1)
        state.deallocate()
        room.deallocate()
    }

    /// Starts a turn of the loop.
    public mutating func begin(at unixMicroseconds: Int64) {
        state.pointee.unixMicroseconds = unixMicroseconds
        state.pointee.store.now = unixMicroseconds / 1000
        limits.wordByteCountMax = state.pointee.settings.bulkByteCountMax
    }

    /// Takes a connection in; `nil` when there are too many, or it may not come from outside.
    ///
    /// - Parameter refusal: receives the error to send before closing.
    public mutating func open(
        peer: String, local: String, isLocal: Bool, isLoopback: Bool, refusal: inout String
    ) -> SessionPointer? {
        let settings = state.pointee.settings
        if state.pointee.sessions.count >= settings.clientCountMax {
            state.pointee.statistics.rejectedConnectionCount += 1
            refusal = "-ERR max number of clients reached\r\n"
            return nil
        }
        if settings.protectedMode, !isLoopback {
            state.pointee.statistics.rejectedConnectionCount += 1
            refusal =
                "-DENIED swift-gcs is in protected mode: connections are taken from the loopback "
                + "interface only. Set protected-mode to no to take them from elsewhere, on a network "
                + "where everybody is trusted.\r\n"
            return nil
        }
        return state.pointee.openSession(peer: peer, local: local, isLocal: isLocal)
    }

    /// Where a connection's next input is to be written; empty while it is not to be read.
    public mutating func input(for session: SessionPointer) -> UnsafeMutableBufferPointer<UInt8> {
        guard wantsInput(session) else { return UnsafeMutableBufferPointer(start: nil, count: 0) }
        guard let held = session.pointee.input else {
            return UnsafeMutableBufferPointer(start: room, count: Self.roomByteCount)
        }
        let missing = held.pointee.parser.byteCountNeeded - held.pointee.count
        let count = min(max(missing, Self.roomByteCount), Self.pieceByteCountMax)
        return UnsafeMutableBufferPointer(rebasing: held.pointee.reserve(count)[..<count])
    }

    /// Whether no connection is to be read: what they write cannot be kept up with.
    private(set) var isPaused = false

    /// Stops reading connections, or goes on.
    public mutating func setPaused(_ isOn: Bool) {
        isPaused = isOn
        for session in state.pointee.sessions { state.pointee.touch(session) }
    }

    /// Whether a connection is to be read at all: not while it has enough that waits to be answered.
    public func wantsInput(_ session: SessionPointer) -> Bool {
        guard !isPaused else { return false }
        guard session.pointee.isWaiting, let held = session.pointee.input else { return true }
        return held.pointee.count < Self.waitingByteCountMax
    }

    /// Answers the requests in the `count` bytes that were written to `input(for:)`.
    public mutating func received(_ count: Int, from session: SessionPointer) {
        state.pointee.statistics.inputByteCount &+= count
        session.pointee.lastActiveAt = state.pointee.now
        guard session.pointee.phase == .open else { return }
        outputStart = state.pointee.output.count
        if let held = session.pointee.input {
            held.pointee.commit(count)
            drain(held, of: session)
        } else {
            let used = drain(room, count, of: session)
            if used < count, session.pointee.phase == .open {
                hold(session, room + used, count - used)
            }
        }
        file(session)
    }

    /// Answers complete requests; the number of bytes they took.
    @inline(__always)
    private mutating func drain(
        _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int, of session: SessionPointer
    ) -> Int {
        var used = 0
        while used < count, used < Self.drainedByteCountMax, session.pointee.pending == nil,
            session.pointee.phase == .open
        {
            let rest = UnsafeRawBufferPointer(start: bytes + used, count: count - used)
            do throws(ProtocolError) {
                guard let taken = try parser.parse(rest.bytes, limits: limits) else { return used }
                if parser.count > 0 {
                    execute(parser.words(at: UnsafePointer(bytes + used)), session)
                }
                parser.reset()
                used += taken
            } catch {
                refuse(error, session)
                return used
            }
        }
        return used
    }

    @inline(__always)
    private mutating func execute(_ words: Words, _ session: SessionPointer) {
        ServerState.execute(words, of: session, state)
        if state.pointee.output.count > Self.chunkByteCountMax { spill(session) }
    }

    /// Goes on with input that was held.
    private mutating func drain(_ held: UnsafeMutablePointer<HeldInput>, of session: SessionPointer)
    {
        // One that waits for its turn goes on when that comes, not twice in one.
        guard session.pointee.pending == nil, !session.pointee.isWaiting else {
            return checkInputLimit(held, session)
        }
        if held.pointee.count < held.pointee.parser.byteCountNeeded {
            return checkInputLimit(held, session)
        }
        swap(&parser, &held.pointee.parser)
        let used = drain(held.pointee.bytes, held.pointee.count, of: session)
        swap(&parser, &held.pointee.parser)
        held.pointee.removeFirst(used)
        if held.pointee.count == 0 || session.pointee.phase != .open { return release(session) }
        // The rest is for the next turn.
        if used >= Self.drainedByteCountMax { state.pointee.putAside(session) }
        checkInputLimit(held, session)
    }

    private mutating func hold(
        _ session: SessionPointer, _ bytes: UnsafeMutablePointer<UInt8>, _ count: Int
    ) {
        let held = UnsafeMutablePointer<HeldInput>.allocate(capacity: 1)
        var unfinished = RequestParser()
        swap(&unfinished, &parser)
        held.initialize(to: HeldInput(capacity: max(count, 4096), parser: unfinished))
        held.pointee.append(bytes, count)
        session.pointee.input = held
    }

    private func release(_ session: SessionPointer) {
        guard let held = session.pointee.input else { return }
        held.deinitialize(count: 1)
        held.deallocate()
        session.pointee.input = nil
    }

    private mutating func checkInputLimit(
        _ held: UnsafeMutablePointer<HeldInput>, _ session: SessionPointer
    ) {
        guard held.pointee.count > state.pointee.settings.queryBufferByteCountMax else { return }
        refuse(.requestTooLong, session)
        release(session)
    }

    @inline(never)
    private mutating func refuse(_ error: ProtocolError, _ session: SessionPointer) {
        state.pointee.output.error(error.text)
        state.pointee.host.log(
            .verbose,
            "client \(session.pointee.id) at \(session.pointee.peer) closed: \(error.text)")
        parser = RequestParser()
        state.pointee.end(session, .closing)
    }
}

// MARK: - Output

extension Server {
    /// Remembers which part of the output of this turn is a connection's.
    @inline(__always)
    private func file(_ session: SessionPointer) {
        let start = outputStart
        let end = state.pointee.output.count
        guard end > start else { return }
        if session.pointee.chunkEnd == session.pointee.chunkStart, session.pointee.queue.count == 0
        {
            session.pointee.chunkStart = start
            session.pointee.chunkEnd = end
        } else {
            session.pointee.queue.append(state.pointee.output.base + start, end - start)
            state.pointee.output.truncate(to: start)
        }
        state.pointee.touch(session)
        if end - start > 64 << 10 { state.pointee.checkOutputLimit(session) }
    }

    /// Moves all output of this turn into the queues of its connections: it has become large.
    @inline(never)
    private mutating func spill(_ current: SessionPointer) {
        for session in state.pointee.dirty { unchunk(session) }
        let start = outputStart
        let end = state.pointee.output.count
        outputStart = 0
        current.pointee.queue.append(state.pointee.output.base + start, end - start)
        state.pointee.output.truncate(to: 0)
        state.pointee.touch(current)
        state.pointee.checkOutputLimit(current)
    }

    /// Moves a connection's part of the shared output to the front of its queue.
    func unchunk(_ session: SessionPointer, skipping sent: Int = 0) {
        let start = session.pointee.chunkStart + sent
        let count = session.pointee.chunkEnd - start
        session.pointee.chunkStart = 0
        session.pointee.chunkEnd = 0
        guard count > 0 else { return }
        var queue = ByteQueue()
        queue.append(state.pointee.output.base + start, count)
        if let behind = session.pointee.queue.start {
            queue.append(behind, session.pointee.queue.count)
            session.pointee.queue.release()
        }
        session.pointee.queue = queue
    }

    /// Does a slice of the work that waits, and sends what the turn produced.
    ///
    /// - Returns: whether work is left, so that the loop must not sleep.
    public mutating func finish(_ transport: inout some Transport & ~Copyable) -> Bool {
        let isWorking = work()
        return send(&transport) || isWorking
    }

    /// Does a slice of the work that waits; the turn's changes are complete after it.
    ///
    /// - Returns: whether work is left.
    public mutating func work() -> Bool {
        let isFlushing = !state.pointee.isLoading && state.pointee.advanceFlush()
        let isWalking = state.pointee.advanceWaiting()
        let isDraining = resumeAnswered()
        // What follows from the records by itself waits until all of them are there.
        let isMaintaining = !state.pointee.isLoading && state.pointee.store.maintain()
        state.pointee.announceDeletions()
        return isFlushing || isWalking || isDraining || isMaintaining
    }

    /// Sends what the turn produced.
    ///
    /// - Returns: whether some connection can take more of its reply.
    public mutating func send(_ transport: inout some Transport & ~Copyable) -> Bool {
        if !state.pointee.dirty.isEmpty {
            let dirty = state.pointee.dirty
            state.pointee.dirty.removeAll(keepingCapacity: true)
            for session in dirty {
                session.pointee.isDirty = false
                flush(session, &transport)
            }
        }
        state.pointee.output.truncate(to: 0)
        return !state.pointee.dirty.isEmpty || state.pointee.canHandOver
    }

    /// Goes on with the input of connections whose late reply is written, or that had sent much.
    ///
    /// - Returns: whether there is more for the next turn.
    private mutating func resumeAnswered() -> Bool {
        var isMore = false
        for session in state.pointee.takeAnswered() {
            guard session.pointee.phase == .open else { continue }
            state.pointee.touch(session)
            guard let held = session.pointee.input else { continue }
            outputStart = state.pointee.output.count
            drain(held, of: session)
            file(session)
            isMore = isMore || session.pointee.isWaiting && session.pointee.pending == nil
        }
        return isMore
    }

    /// Sends what a connection is owed; after `finish(_:)`, or when there is room again.
    public mutating func flush(
        _ session: SessionPointer, _ transport: inout some Transport & ~Copyable
    ) {
        guard session.pointee.phase != .dropped else { return transport.close(session) }
        let chunkCount = session.pointee.chunkEnd - session.pointee.chunkStart
        let heldCount = session.pointee.held.byteCount
        let queueCount = session.pointee.queue.count - heldCount
        var unsent = chunkCount + queueCount
        if unsent > 0 {
            let chunk = UnsafeBufferPointer(
                start: state.pointee.output.base + session.pointee.chunkStart, count: chunkCount)
            let queue = UnsafeBufferPointer(start: session.pointee.queue.start, count: queueCount)
            let sent = transport.send(session, chunk, queue)
            guard sent >= 0 else { return transport.close(session) }
            state.pointee.statistics.outputByteCount &+= sent
            unsent -= sent
            unchunk(session, skipping: min(sent, chunkCount))
            if sent > chunkCount { session.pointee.queue.removeFirst(sent - chunkCount) }
        }
        session.pointee.sendableByteCount = unsent
        if unsent + heldCount == 0, session.pointee.phase == .closing {
            return transport.close(session)
        }
        transport.awaitRoom(session, unsent > 0)
    }
}
