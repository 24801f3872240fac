internal import CSystem
public import ControlStore
internal import Glibc
public import Platform
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

    private let replyBell: Bell
    private let writeBell: Bell
    private let readBell: Bell
    private let endBell: Bell
    private let engine: any DiskEngine
    private let state = Mutex(State())

    /// Starts the threads; `nil` when the system has no descriptors or threads left.
    ///
    /// - Parameter processors: where they run, and those that the engine starts from them; `nil` for where the
    ///   calling thread may.
    public init?(_ engine: any DiskEngine, on processors: ProcessorSet? = nil) {
        guard let replyBell = Bell(), let writeBell = Bell(), let readBell = Bell(),
            let endBell = Bell()
        else { return nil }
        self.engine = engine
        self.replyBell = replyBell
        self.writeBell = writeBell
        self.readBell = readBell
        self.endBell = endBell
        // A file size limit is an error like others, not the end of the process.
        signal(SIGXFSZ, SIG_IGN)
        guard start(on: processors, { $0.write() }), start(on: processors, { $0.read() }) else {
            return nil
        }
    }

    /// Readable while replies wait.
    public var descriptor: Int32 { replyBell.descriptor }

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
        if wakesWriter { writeBell.ring() }
        if wakesReader { readBell.ring() }
    }

    /// Everything that was answered.
    public func takeReplies() -> [DiskReply] {
        replyBell.quiet()
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
        writeBell.ring()
        readBell.ring()
        while state.withLock({ $0.threadCount > 0 }) { endBell.wait(milliseconds: 100) }
        engine.close()
    }

    // MARK: Threads

    private func start(
        on processors: ProcessorSet?, _ body: @escaping @Sendable (DiskTier) -> Void
    ) -> Bool {
        state.withLock { $0.threadCount += 1 }
        guard DetachedThread.start(on: processors, { body(self) }) == 0 else {
            state.withLock { $0.threadCount -= 1 }
            return false
        }
        return true
    }

    /// The loop goes before the writer, and before the threads that RocksDB starts from it: they inherit this.
    private static let writerNiceness: Int32 = 10
    /// Nanoseconds of a turn on a processor: one read is much less.
    private static let readerTurn: UInt64 = 500_000

    private func write() {
        gcs_schedule_thread(Self.writerNiceness, 0)
        var work = DiskWork(engine)
        while true {
            var (requests, isClosed) = state.withLock { state in
                defer { state.writes = [] }
                return (state.writes, state.isClosed)
            }
            let isIdle = requests.isEmpty
            requests.reverse()
            // None is held on to behind its answer: its memory is the store's then.
            while let request = requests.popLast() {
                work.run(request) { answer($0) }
                if work.mustReclaim { work.reclaim() }
            }
            note()
            if !isIdle { continue }
            if isClosed { break }
            let pause: Int32 = work.isUnfinished || work.wantsReclaim ? 1000 : 10_000
            if writeBell.wait(milliseconds: pause) { continue }
            if work.isUnfinished { work.retry { answer($0) } }
            if work.wantsReclaim { work.reclaim() }
        }
        end()
    }

    private func read() {
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
            readBell.wait(milliseconds: 10_000)
        }
        end()
    }

    private func note() {
        let count = engine.byteCount
        state.withLock { $0.byteCount = count }
    }

    private func end() {
        state.withLock { $0.threadCount -= 1 }
        endBell.ring()
    }

    private func answer(_ reply: DiskReply) {
        let isFirst = state.withLock { state in
            state.replies.append(reply)
            return state.replies.count == 1
        }
        if isFirst { replyBell.ring() }
    }
}
