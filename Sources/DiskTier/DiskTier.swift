internal import CSystem
public import ControlStore
internal import Glibc
internal import Synchronization

/// The disk on threads of its own: one that writes, in order, and one that reads.
///
/// Bounded: the store has few groups under way, and each connection at most one read.
public final class DiskTier: Sendable {
    private struct State {
        var writes: [DiskRequest] = []
        var reads: [DiskRequest] = []
        var replies: [DiskReply] = []
        var isClosed = false
        var threadCount = 0
        var byteCount = 0
    }

    /// Readable while replies wait.
    public let descriptor: Int32
    private let writeSignal: Int32
    private let readSignal: Int32
    private let endSignal: Int32
    private let engine: any DiskEngine
    private let state = Mutex(State())

    /// Starts the threads; `nil` when the system has no descriptors or threads left.
    public init?(_ engine: any DiskEngine) {
        self.engine = engine
        descriptor = gcs_eventfd()
        writeSignal = gcs_eventfd()
        readSignal = gcs_eventfd()
        endSignal = gcs_eventfd()
        guard min(descriptor, writeSignal, readSignal, endSignal) >= 0 else { return nil }
        // A file size limit is an error like others, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        guard start(diskWriterStarted), start(diskReaderStarted) else { return nil }
    }

    deinit {
        for signal in [descriptor, writeSignal, readSignal, endSignal] { Glibc.close(signal) }
    }

    /// Hands requests on.
    public func post(_ requests: [DiskRequest]) {
        guard !requests.isEmpty else { return }
        let (wakesWriter, wakesReader) = state.withLock { state in
            let (writeCount, readCount) = (state.writes.count, state.reads.count)
            for request in requests {
                if case .read(_, _, isOrdered: false) = request {
                    state.reads.append(request)
                } else {
                    state.writes.append(request)
                }
            }
            return (
                writeCount == 0 && !state.writes.isEmpty, readCount == 0 && !state.reads.isEmpty
            )
        }
        if wakesWriter { wake(writeSignal) }
        if wakesReader { wake(readSignal) }
    }

    /// Everything that was answered.
    public func takeReplies() -> [DiskReply] {
        clear(descriptor)
        return state.withLock { state in
            defer { state.replies = [] }
            return state.replies
        }
    }

    /// Bytes of the files, as of a moment ago.
    public var byteCount: Int { state.withLock { $0.byteCount } }

    /// Has the threads finish what they were asked, and waits for that.
    public func close() {
        state.withLock { $0.isClosed = true }
        wake(writeSignal)
        wake(readSignal)
        while state.withLock({ $0.threadCount > 0 }) { wait(endSignal, milliseconds: 100) }
        engine.close()
    }

    // MARK: Threads

    private func start(
        _ body: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer?
    ) -> Bool {
        state.withLock { $0.threadCount += 1 }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        guard pthread_create(&thread, nil, body, context.toOpaque()) == 0 else {
            context.release()
            state.withLock { $0.threadCount -= 1 }
            return false
        }
        pthread_detach(thread)
        return true
    }

    /// The loop goes before the writer, and before the threads that RocksDB starts from it: they inherit this.
    private static let writerNiceness: Int32 = 10
    /// Nanoseconds of a turn on a processor: one read is much less.
    private static let readerTurn: UInt64 = 500_000

    fileprivate func write() {
        gcs_schedule_thread(Self.writerNiceness, 0)
        var work = DiskWork(engine)
        while true {
            let (requests, isClosed) = state.withLock { state in
                defer { state.writes = [] }
                return (state.writes, state.isClosed)
            }
            for request in requests {
                work.run(request) { answer($0) }
                if work.mustReclaim { work.reclaim() }
            }
            note()
            if !requests.isEmpty { continue }
            if isClosed { break }
            let pause: Int32 = work.isUnfinished || work.wantsReclaim ? 1000 : 10_000
            if wait(writeSignal, milliseconds: pause) { continue }
            if work.isUnfinished { work.retry { answer($0) } }
            if work.wantsReclaim { work.reclaim() }
        }
        end()
    }

    fileprivate func read() {
        gcs_schedule_thread(0, Self.readerTurn)
        while true {
            let (requests, isClosed) = state.withLock { state in
                defer { state.reads = [] }
                return (state.reads, state.isClosed)
            }
            for request in requests {
                guard case .read(let ticket, let keys, _) = request else { continue }
                answer(DiskWork.read(ticket, keys, engine))
            }
            if !requests.isEmpty { continue }
            if isClosed { break }
            wait(readSignal, milliseconds: 10_000)
        }
        end()
    }

    private func note() {
        let count = engine.byteCount
        state.withLock { $0.byteCount = count }
    }

    private func end() {
        state.withLock { $0.threadCount -= 1 }
        wake(endSignal)
    }

    private func answer(_ reply: DiskReply) {
        let isFirst = state.withLock { state in
            state.replies.append(reply)
            return state.replies.count == 1
        }
        if isFirst { wake(descriptor) }
    }

    // MARK: Signals

    private func wake(_ signal: Int32) {
        var one: UInt64 = 1
        _ = Glibc.write(signal, &one, 8)
    }

    private func clear(_ signal: Int32) {
        var count: UInt64 = 0
        _ = Glibc.read(signal, &count, 8)
    }

    /// Waits until somebody wakes the signal, or for a time; whether somebody did.
    @discardableResult
    private func wait(_ signal: Int32, milliseconds: Int32) -> Bool {
        var request = pollfd(fd: signal, events: Int16(POLLIN), revents: 0)
        guard poll(&request, 1, milliseconds) > 0 else { return false }
        clear(signal)
        return true
    }

    fileprivate static func recover(_ context: UnsafeMutableRawPointer?) -> DiskTier {
        guard let context else { preconditionFailure("a thread without its tier") }
        return Unmanaged<DiskTier>.fromOpaque(context).takeRetainedValue()
    }
}

private func diskWriterStarted(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    DiskTier.recover(context).write()
    return nil
}

private func diskReaderStarted(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    DiskTier.recover(context).read()
    return nil
}
