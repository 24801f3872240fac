internal import CSystem
internal import Glibc
internal import Platform
internal import Synchronization

/// What the thread of a log does.
final class LogThread: Sendable {
    private let writer: LogWriter
    private let files: Mutex<LogFiles>

    /// Milliseconds until a failed write is tried again.
    private static let retryMilliseconds: Int32 = 200
    /// Milliseconds that it rests after each turn, unless every change waits for it: what comes
    /// meanwhile goes together.
    private static let restMilliseconds: Int32 = 1
    /// How much nicer than the loop it is while no reply waits for it: it leaves the loop's processor to the
    /// loop, and runs where there is room.
    private static let niceness: Int32 = 5
    /// Nanoseconds of the processor that it asks for at a time while replies wait for it: fewer than the
    /// loop, which it wakes after each sync, and which would otherwise go before the next one.
    private static let turnWhileAwaited: UInt64 = 100_000
    /// Bytes of commands that are read at a time: at one time in a rest, much more than is written in it.
    private static let readByteCount = 4 << 20

    init(_ writer: LogWriter, _ files: consuming sending LogFiles) {
        self.writer = writer
        self.files = Mutex(files)
    }

    /// Takes its place among the threads that want a processor.
    private func schedule(isAwaited: Bool, wasNicer: Bool) {
        guard isAwaited else { return gcs_schedule_thread(Self.niceness, 0) }
        // Not everybody may be less nice than before: then it stays as it is.
        if wasNicer { gcs_schedule_thread(-Self.niceness, 0) }
        gcs_schedule_thread(0, Self.turnWhileAwaited)
    }

    /// What is to be done in a turn.
    private struct Turn {
        var bytes: [UInt8] = []
        /// Where changes lie in what is not written yet that are told again by reading them.
        var others: ArraySlice<Range<Int>> = []
        var requests: [(offset: Int, request: LogWriter.Request)] = []
        var sync = LogSync.everySecond
        var loopProcessor: Int32 = -1
        var isClosing = false
        var wantsSync = false
        var wanted: OldestPart.Choice?
        /// How much of it is done; after an error the rest is tried again.
        var written = 0
        var requestsDone = 0

        var isEmpty: Bool { written == bytes.count && requestsDone == requests.count }
    }

    func run() {
        files.withLock { files in
            var turn = Turn()
            var oldest: Segment?
            var isAwaited: Bool?
            var placement = LogPlacement()
            while true {
                let isIdle = take(&turn)
                if isAwaited != (turn.sync == .always) {
                    schedule(isAwaited: turn.sync == .always, wasNicer: isAwaited == false)
                    isAwaited = turn.sync == .always
                    placement.leave()
                }
                if turn.isClosing, isIdle, turn.isEmpty { break }
                let error = carryOut(&turn, &files, &oldest)
                tell(turn, &files, error)
                if !error.isEmpty {
                    if turn.isClosing { break }
                    poll(nil, 0, Self.retryMilliseconds)
                } else if turn.sync == .always {
                    placement.turn(
                        SystemClock.monotonicMicroseconds, turn.written,
                        loopProcessor: turn.loopProcessor)
                } else if !turn.isClosing, turn.written > 0 {
                    // What comes meanwhile goes together.
                    poll(nil, 0, Self.restMilliseconds)
                }
            }
            files.hurry()
            try? files.finish()
            tell(turn, &files, "")
        }
        writer.ended.ring()
    }

    /// Takes what was added, when the last turn is done; waits for it, or for the next sync.
    ///
    /// - Returns: whether nothing was added.
    private func take(_ turn: inout Turn) -> Bool {
        guard turn.isEmpty else { return false }
        if isEmpty, !writer.bell.wait(milliseconds: 1000) { release(&turn) }
        writer.bell.quiet()
        // The memory of the last turn takes in the next; not a copy of it, which would be new each time.
        var emptied: [UInt8] = []
        swap(&emptied, &turn.bytes)
        emptied.removeAll(keepingCapacity: true)
        turn = writer.state.withLock { state in
            defer {
                (state.bytes, state.others, state.requests) = (emptied, [], [])
                (state.wantsSync, state.wanted) = (false, nil)
            }
            return Turn(
                bytes: state.bytes, others: state.others[...], requests: state.requests,
                sync: state.sync,
                loopProcessor: state.loopProcessor, isClosing: state.isClosing,
                wantsSync: state.wantsSync, wanted: state.wanted)
        }
        return turn.isEmpty
    }

    private var isEmpty: Bool {
        writer.state.withLock { state in
            state.bytes.isEmpty && state.requests.isEmpty && !state.isClosing && !state.wantsSync
                && state.wanted == nil
        }
    }

    /// Gives back the memory that a burst took, when nothing comes any more.
    ///
    /// While something does it is kept: memory that is new each time costs the loop as much as filling it.
    private func release(_ turn: inout Turn) {
        turn.bytes = []
        writer.state.withLock { if $0.bytes.isEmpty { $0.bytes = [] } }
    }

    /// Writes, rotates and syncs; why it could not, or nothing.
    private func carryOut(
        _ turn: inout Turn, _ files: inout LogFiles, _ oldest: inout Segment?
    ) -> String {
        if let choice = turn.wanted {
            readOldest(choice, files, &oldest)
            turn.wanted = nil
        }
        do throws(LogError) {
            while !turn.isEmpty {
                let next =
                    turn.requestsDone < turn.requests.count
                    ? turn.requests[turn.requestsDone].offset : turn.bytes.count
                if turn.written < next { try write(&turn, upTo: next, &files) }
                guard turn.requestsDone < turn.requests.count else { continue }
                switch turn.requests[turn.requestsDone].request {
                case .rotate(let token): try files.rotate(token)
                case .begin(let token):
                    try files.begin(at: token)
                    writer.state.withLock { $0.status.begun = token }
                case .endSegment: try files.rotate()
                case .drop(let segment): try files.drop(segment)
                }
                turn.requestsDone += 1
            }
            if files.isUnsynced, turn.wantsSync || isSyncDue(turn.sync) {
                try synchronize(&files)
            }
            return ""
        } catch {
            return "\(error)"
        }
    }

    private func write(
        _ turn: inout Turn, upTo end: Int, _ files: inout LogFiles
    ) throws(LogError) {
        let start = turn.written
        var others: ArraySlice<Range<Int>> = []
        for range in turn.others where range.upperBound <= end {
            others.append(range.lowerBound - start..<range.upperBound - start)
        }
        try turn.bytes.span.bytes.extracting(start..<end).withUnsafeBytes {
            (group) throws(LogError) in
            try files.write(group, others: others, isAwaited: turn.sync == .always)
        }
        turn.others.removeFirst(others.count)
        turn.written = end
        writer.state.withLock { $0.status.written += UInt64(end - start) }
    }

    /// Reads on in the oldest segment; what is wrong with it is the owner's to decide on.
    private func readOldest(
        _ choice: OldestPart.Choice, _ files: borrowing LogFiles, _ oldest: inout Segment?
    ) {
        guard files.segments.count > 1 else { return }
        let path = files.path(files.segments[0])
        var part = OldestPart(segment: files.segments[0])
        do throws(LogError) {
            if choice == .others, oldest == nil, let others = files.others(of: files.segments[0]) {
                part.lines = try others.read(path)
            } else {
                if oldest?.path != path { oldest = try Segment(path) }
                part.lines = try oldest?.take(Self.readByteCount, choice) ?? part.lines
            }
        } catch {
            part.error = "\(error)"
        }
        if part.lines.isEnd || !part.error.isEmpty { oldest = nil }
        let found = part
        writer.state.withLock { $0.oldest = found }
        writer.changes.ring()
    }

    private func isSyncDue(_ sync: LogSync) -> Bool {
        switch sync {
        case .always: true
        case .never: false
        case .everySecond:
            SystemClock.unixMilliseconds - writer.state.withLock { $0.status.lastSyncAt } >= 1000
        }
    }

    private func synchronize(_ files: inout LogFiles) throws(LogError) {
        let start = SystemClock.unixMilliseconds
        try files.synchronize()
        let end = SystemClock.unixMilliseconds
        writer.state.withLock { state in
            state.status.lastSyncAt = end
            if end - start > 1000 { state.status.slowSyncCount += 1 }
        }
    }

    /// Tells how far the log is.
    private func tell(_ turn: borrowing Turn, _ files: inout LogFiles, _ error: String) {
        let (isUnsynced, byteCount, segments) = (
            files.isUnsynced, files.byteCount, files.segments
        )
        let (oldestByteCount, oldestChanges) = (files.oldestByteCount, files.oldestChanges)
        writer.state.withLock { state in
            if !isUnsynced { state.status.synced = state.status.written }
            state.status.byteCount = byteCount
            state.status.segments = segments
            state.status.oldestByteCount = oldestByteCount
            state.status.oldestChanges = oldestChanges
            state.status.error = error
        }
        writer.changes.ring()
    }
}
