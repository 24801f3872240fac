public import Platform
internal import Synchronization

/// When the log is made durable, in the words of `appendfsync`.
public enum LogSync: Sendable {
    /// Before a change is answered.
    case always
    /// Once a second.
    case everySecond
    /// When the system does.
    case never
}

/// How far the log has come.
public struct LogStatus: Sendable {
    /// Bytes of changes that are in the file.
    public var written: UInt64 = 0
    /// Bytes of changes that are on the disk.
    public var synced: UInt64 = 0
    /// Bytes of changes that wait to be written.
    public var waitingByteCount = 0
    /// Bytes of all segments.
    public var byteCount = 0
    /// The segments, oldest first; the last is being written.
    public var segments: [Int] = []
    /// Bytes of the oldest.
    public var oldestByteCount = 0
    /// Where the oldest one's changes lie among all that were ever appended; at 0 if they were before.
    public var oldestChanges: Range<UInt64> = 0..<0
    /// Why nothing can be written at present; empty when it can.
    public var error = ""
    /// Syncs that took more than a second.
    public var slowSyncCount = 0
    /// Milliseconds since 1970 of the last sync.
    public var lastSyncAt: Int64 = 0
    /// What `begin(at:)` was last carried out for.
    public var begun: UInt64?
}

/// Writes a log on a thread of its own: groups that wait go to the file together, and are synced as
/// `LogSync` says.
///
/// The owner appends from one thread and never waits, but for `close()`. What crosses is bytes, and
/// requests that lie between them.
public final class LogWriter: Sendable {
    /// What is asked of the thread, at a place between the bytes.
    enum Request: Sendable {
        /// Begins another segment, to be known by a number of the owner's.
        case rotate(UInt64)
        /// Makes the log begin with that segment; the ones before are removed.
        case begin(UInt64)
        /// Begins another segment.
        case endSegment
        /// Removes a segment, if it is the oldest.
        case drop(Int)
    }

    struct State: Sendable {
        var bytes: [UInt8] = []
        /// Where changes lie in the bytes that are told again by reading them.
        var others: [Range<Int>] = []
        var requests: [(offset: Int, request: Request)] = []
        /// Bytes ever appended.
        var position: UInt64 = 0
        var sync = LogSync.everySecond
        var isClosing = false
        /// Whether a sync is wanted now, whatever `sync` says.
        var wantsSync = false
        /// Where the owner's loop ran when it last added something that replies wait for.
        var loopProcessor: Int32 = -1
        /// What of the oldest segment is to be read on: at once, whatever waits to be written.
        var wanted: OldestPart.Choice?
        /// What was read of the oldest segment for the owner.
        var oldest: OldestPart?
        var status = LogStatus()
    }

    let state = Mutex(State())
    /// Wakes the thread.
    let bell: Bell
    /// Rings when the status changed.
    let changes: Bell
    /// Rings when the thread has ended.
    let ended: Bell

    /// Readable when the status changed; for the owner's loop.
    public var changed: Int32 { changes.descriptor }

    /// Starts the thread on a directory, with a segment of its own.
    ///
    /// - Parameters:
    ///   - segments: those that make up the log so far.
    ///   - isWhole: whether they do; a log that is not is none until `begin(at:)`, with 0 for its
    ///     first segment.
    ///   - firstMark: the number of the next mark.
    ///   - version: the format of the changes.
    ///   - processors: where the thread runs; `nil` for where the calling one may.
    public init(
        _ directory: LogDirectory, segments: [Int], isWhole: Bool, firstMark: UInt64,
        sync: LogSync, version: Int, on processors: ProcessorSet? = nil
    ) throws(LogError) {
        let files = try LogFiles(
            directory, segments: segments, isWhole: isWhole, nextMark: firstMark, version: version)
        guard let bell = Bell(), let changes = Bell(), let ended = Bell() else {
            throw File.error("eventfd", directory.path)
        }
        self.bell = bell
        self.changes = changes
        self.ended = ended
        state.withLock { state in
            state.sync = sync
            state.status.segments = files.segments
            state.status.byteCount = files.byteCount
        }
        let thread = LogThread(self, files)
        guard DetachedThread.start(on: processors, { thread.run() }) == 0 else {
            throw .system(call: "pthread_create", path: directory.path, reason: "no thread left")
        }
    }

    /// Adds changes; they lie behind all that was added before.
    ///
    /// - Parameter others: where changes lie in them that are told again by reading them: all but those of records
    ///   that are where their ids say.
    /// - Returns: the position behind them.
    public func append(
        _ bytes: UnsafeRawBufferPointer, others: [Range<Int>] = []
    ) -> UInt64 {
        let (position, isFirst) = state.withLock { state in
            let isFirst = state.bytes.isEmpty && state.requests.isEmpty
            let start = state.bytes.count
            for range in others {
                state.others.append(start + range.lowerBound..<start + range.upperBound)
            }
            state.bytes.append(contentsOf: bytes)
            state.position += UInt64(bytes.count)
            if state.sync == .always { state.loopProcessor = ProcessorSet.ofThread }
            return (state.position, isFirst)
        }
        if isFirst { bell.ring() }
        return position
    }

    /// Begins another segment: what is added from now on lies in it.
    ///
    /// - Parameter token: a number to know it by; not 0, which stands for the first one.
    public func rotate(_ token: UInt64) { ask(.rotate(token)) }

    /// Makes the log begin with a segment, once all that was added before is on the disk.
    public func begin(at token: UInt64) { ask(.begin(token)) }

    /// Begins another segment: what is added from now on lies in it.
    public func endSegment() { ask(.endSegment) }

    /// Has the oldest segment read on, for `takeOldest()`; there must be another one behind it.
    public func readOldest(_ choice: OldestPart.Choice) {
        state.withLock { $0.wanted = choice }
        bell.ring()
    }

    /// What was read; `nil` while it is.
    public func takeOldest() -> OldestPart? {
        state.withLock { state in
            defer { state.oldest = nil }
            return state.oldest
        }
    }

    /// Removes a segment, if it is the oldest, once all that was added before is on the disk.
    public func drop(_ segment: Int) { ask(.drop(segment)) }

    private func ask(_ request: Request) {
        state.withLock { $0.requests.append(($0.bytes.count, request)) }
        bell.ring()
    }

    /// When the log is made durable.
    public func setSync(_ sync: LogSync) {
        state.withLock { $0.sync = sync }
        bell.ring()
    }

    /// Has what was added so far made durable soon, whatever was set.
    public func requestSync() {
        let isFirst = state.withLock { state in
            defer { state.wantsSync = true }
            return !state.wantsSync
        }
        if isFirst { bell.ring() }
    }

    /// How far the log has come.
    public var status: LogStatus {
        state.withLock { state in
            var status = state.status
            status.waitingByteCount = Int(state.position - status.written)
            return status
        }
    }

    /// Quiets `changed` until the status changes again.
    public func acknowledge() { changes.quiet() }

    /// Writes and syncs what was added, and ends the thread; waits for it, ten seconds at most.
    ///
    /// - Returns: whether everything is on the disk.
    public func close() -> Bool {
        state.withLock { $0.isClosing = true }
        bell.ring()
        ended.wait(milliseconds: 10_000)
        return state.withLock { $0.status.synced == $0.position }
    }
}
