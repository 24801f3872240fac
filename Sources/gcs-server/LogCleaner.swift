internal import AppendOnlyFile
internal import Commands
internal import ControlStore

/// Keeps the append-only file small: when it is more than twice what is alive, and some MiB, the things that its
/// oldest segments tell of are told again where they are still there, and the segments go.
///
/// What is alive of them is found in one of two ways. Where most was written over since, memory is walked over, and
/// records that were not told of late are told again: no old line of a record is read. Where that turns out to be
/// much, the walk ends, and the segment is read: what its lines tell of is looked up, and what is alive told again;
/// so no more than a segment is told twice at a time.
///
/// So the file is at most twice what is alive and 128 MiB, whatever is written how often: clients wait when they write
/// more than can be told again meanwhile.
struct LogCleaner {
    private enum Phase {
        case idle
        /// The next commands of the oldest segment are on their way.
        case reading
        /// What they tell of is being told again.
        case telling(Renewal)
        /// All of them were; the changes that they led to are not handed on yet.
        case told(OldestPart, removalsAwaited: UInt64?)
        /// The segment is to go.
        case dropping(Int)
    }

    private var phase = Phase.idle
    /// Bytes of the segment that is being told again, and of those the ones that were looked at.
    private var oldest = (byteCount: 0, told: 0)
    /// Bytes that the file may come to before clients wait; of one that was loaded it is not less than it had.
    private var ceiling = Int.max
    /// Milliseconds at which something was written last.
    private var writtenAt: Int64 = 0
    /// Bytes told in the present epoch.
    private var epochByteCount = 0
    /// Where the epochs begin among all changes that were handed on, last first; fewer than there are numbers.
    private var epochBegins: [UInt64] = [0]
    /// What the walk over memory is for, if one is under way: the changes before a place; and bytes that it may tell
    /// again.
    private var walk: (upTo: UInt64, byteCountMax: Int)?
    /// Before which place nothing is alive that a record's line tells.
    private var renewedUpTo: UInt64 = 0
    private var cursor: UInt64 = 0
    private var counted = 0
    private var countedAt: Int64 = 0
    /// Bytes that a log of what is alive would have, about.
    private(set) var liveByteCount = 0

    /// Bytes of a record's change that are not its own.
    private static let changeByteCount = 95
    /// Bytes that the file may have above twice what is alive before something is done.
    private static let slackByteCount = 64 << 20
    /// Bytes that it should have at most when an epoch ends, above twice what is alive.
    private static let walkSlackByteCount = 48 << 20
    /// Bytes written for each record that a walk looks at; and records at least.
    private static let walkStep = (byteCount: 32, recordCount: 128)
    /// The part of what would go for a walk that it may tell again.
    private static let walkShare = 4
    /// Milliseconds without a write after which clients seem to rest.
    private static let restMilliseconds: Int64 = 200
    /// Bytes above twice what is alive that it may come to before clients wait: less than it may have, because
    /// what is alive is an estimate, and what is in the turn comes on top.
    private static let excessByteCount = 88 << 20
    /// Bytes that may be written, and told again, for each segment that goes from a log that is too large.
    private static let roomByteCount = 32 << 20
    /// Bytes that are missing to the ceiling when clients go on.
    private static let restByteCount = 4 << 20
    /// Bytes of commands that a turn tells again at least; more when more was written.
    private static let stepByteCount = 32 << 10
    /// Bytes told again for each byte written: half of them may be alive still.
    private static let stepFactor = 3
    /// Epochs that a log of the size that it should have has.
    private static let epochCount = ControlStore.logEpochNumberCount - 1
    /// Batches that are counted at a time, and milliseconds between the times.
    private static let countStep = (batches: 4000, milliseconds: Int64(50))

    /// Counts on what is alive.
    mutating func count(_ store: borrowing ControlStore) {
        guard store.now - countedAt >= Self.countStep.milliseconds else { return }
        countedAt = store.now
        let (byteCount, next) = store.recordByteCount(
            from: cursor, budget: Self.countStep.batches)
        counted += byteCount
        cursor = next
        guard next == 0 else { return }
        let records = store.taskCount + store.objectCount + store.actorCount - store.awayCount
        liveByteCount =
            counted + records * Self.changeByteCount + store.log.byteCount
            + (store.batchCount + store.tombstoneCount + store.referenceCount)
            * Self.changeByteCount
        counted = 0
    }

    /// Does a step; before the turn's changes are handed on.
    ///
    /// - Parameters:
    ///   - writtenByteCount: bytes that the last turn wrote.
    ///   - position: behind all changes that were handed on.
    /// - Returns: whether more can be done at once; why it cannot go on, or nothing.
    mutating func step(
        _ store: inout ControlStore, _ writer: LogWriter, _ status: LogStatus,
        writtenByteCount: Int, position: UInt64
    ) -> (isMore: Bool, error: String) {
        store.setLogSegment(status.segments.last ?? 0)
        if writtenByteCount > 0 { writtenAt = store.now }
        advanceEpoch(&store, writer, status, writtenByteCount, position)
        goOnWalking(&store, writtenByteCount)
        setCeiling(status)
        switch phase {
        case .idle:
            guard isWorthCleaning(status, isResting: store.now - writtenAt > Self.restMilliseconds)
            else {
                return (false, "")
            }
            _ = writer.takeOldest()
            writer.readOldest(choice(status))
            phase = .reading
            oldest = (isRenewed(status) ? 0 : status.oldestByteCount, 0)
        case .reading:
            guard let part = writer.takeOldest() else { return (false, "") }
            phase = part.error.isEmpty ? .telling(Renewal(of: part)) : .idle
            // The next one is read while this one is told.
            if part.error.isEmpty, !part.lines.isEnd { writer.readOldest(choice(status)) }
            return (part.error.isEmpty, part.error)
        case .telling(var renewal):
            let isDone = renewal.step(
                &store, budget: max(Self.stepByteCount, Self.stepFactor * writtenByteCount))
            phase = isDone ? .told(renewal.part, removalsAwaited: nil) : .telling(renewal)
            if isDone { oldest.told += renewal.part.lines.bytes.count }
            return (true, "")
        case .told(_, let awaited): return (awaited == nil, "")
        case .dropping(let segment):
            guard status.segments.first != segment else { break }
            phase = .idle
            oldest = (0, 0)
        }
        return (false, "")
    }

    /// Whether the oldest segment is to go, or to be looked at for what is alive of it.
    private func isWorthCleaning(_ status: LogStatus, isResting: Bool) -> Bool {
        guard status.segments.count > 1, liveByteCount > 0 else { return false }
        if isRenewed(status) { return true }
        // While nothing is written there is time: what is done now makes room for what comes.
        return Self.byteCount(status) > 2 * liveByteCount + (isResting ? 0 : Self.slackByteCount)
    }

    /// Whether a walk has had all records told again whose last word the oldest segment might have.
    private func isRenewed(_ status: LogStatus) -> Bool {
        renewedUpTo > 0 && status.oldestChanges.upperBound <= renewedUpTo
    }

    private func choice(_ status: LogStatus) -> OldestPart.Choice {
        isRenewed(status) ? .others : .all
    }

    /// Begins another epoch after a share of the log, with a segment of its own, once nothing is left of the one
    /// that had its number before: what was told then would pass for the last word.
    private mutating func advanceEpoch(
        _ store: inout ControlStore, _ writer: LogWriter, _ status: LogStatus,
        _ writtenByteCount: Int, _ position: UInt64
    ) {
        epochByteCount += writtenByteCount
        guard epochByteCount > epochByteCountMax else { return }
        if epochBegins.count == Self.epochCount {
            // The one before all of these had the number.
            guard let begin = epochBegins.last, status.oldestChanges.lowerBound >= begin else {
                return
            }
            epochBegins.removeLast()
        }
        epochBegins.insert(position, at: 0)
        writer.endSegment()
        store.advanceLogEpoch()
        epochByteCount = 0
        if walk == nil { beginWalk(&store, status, position) }
    }

    private var epochByteCountMax: Int {
        (2 * liveByteCount + Self.slackByteCount) / Self.epochCount
    }

    // MARK: Walking over memory

    /// Has as many of the oldest epochs told again as must go for the file to be small enough when the present one
    /// ends.
    private mutating func beginWalk(
        _ store: inout ControlStore, _ status: LogStatus, _ position: UInt64
    ) {
        let room = 2 * liveByteCount + Self.walkSlackByteCount - epochByteCountMax
        let late = epochBegins.prefix { position - $0 <= UInt64(max(room, 0)) }
        guard let begin = late.last, begin > renewedUpTo else { return }
        let byteCount = Self.byteCount(status) - Int(position - begin)
        guard byteCount > epochByteCountMax / 2 else { return }
        store.beginRenewal(lateCount: late.count)
        walk = (begin, byteCount / Self.walkShare)
    }

    private mutating func goOnWalking(_ store: inout ControlStore, _ writtenByteCount: Int) {
        guard let walk else { return }
        let budget = max(writtenByteCount / Self.walkStep.byteCount, Self.walkStep.recordCount)
        if store.renewRecords(budget: budget) {
            renewedUpTo = walk.upTo
            self.walk = nil
        } else if store.renewedByteCount ?? 0 > walk.byteCountMax {
            store.endRenewal()
            self.walk = nil
        }
    }

    /// Goes on when the turn's changes are handed on.
    ///
    /// - Parameter removals: those from the disk that were asked for, and done: a segment that may tell of
    ///   one stays until it is done.
    mutating func handedOn(_ writer: LogWriter, _ removals: (requested: UInt64, done: UInt64)) {
        guard case .told(let part, let known) = phase else { return }
        if part.lines.isEnd {
            let awaited = known ?? removals.requested
            phase = .told(part, removalsAwaited: awaited)
            guard removals.done >= awaited else { return }
            writer.drop(part.segment)
            phase = .dropping(part.segment)
        } else {
            phase = .reading
        }
    }

    /// Sets what the file may come to.
    ///
    /// If it is larger already, because much has ended, it gets smaller with each segment that goes.
    private mutating func setCeiling(_ status: LogStatus) {
        ceiling = max(
            2 * liveByteCount + Self.excessByteCount,
            min(ceiling, Self.byteCount(status) + Self.roomByteCount))
    }

    /// Whether clients write so much that the file would become larger than it should be.
    ///
    /// - Parameter wasOutrun: whether clients wait already.
    func isOutrun(_ status: LogStatus, wasOutrun: Bool) -> Bool {
        // Of what is left of the segment a part will be told again.
        let expected = Self.byteCount(status) + max(oldest.byteCount - oldest.told, 0) / 4
        guard status.error.isEmpty, liveByteCount > 0,
            expected > ceiling - (wasOutrun ? Self.restByteCount : 0)
        else { return false }
        switch phase {
        // Nothing can go before the segment that is being written ends.
        case .idle: return status.waitingByteCount > 0
        // Removals from the disk may fail for long.
        case .told(_, removalsAwaited: .some): return false
        case .reading, .telling, .told, .dropping: return true
        }
    }

    /// Bytes that the file has, or will have when what waits is written.
    private static func byteCount(_ status: LogStatus) -> Int {
        status.byteCount + status.waitingByteCount
    }

    /// Stops: the log begins anew.
    mutating func stop(_ store: inout ControlStore) {
        store.endRenewal()
        (phase, oldest, walk) = (.idle, (0, 0), nil)
    }
}
