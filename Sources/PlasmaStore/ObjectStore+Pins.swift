internal import Identifiers

/// Which uses of objects changed since somebody asked: each object once, however often it changed.
struct PinChanges {
    /// Changes kept at most; above it nobody is told of changes, and who asks next is told everything.
    private static let countMax = 1 << 17

    /// Whether somebody asks; otherwise nothing is kept.
    private(set) var isWanted = false
    /// The number of the last answer.
    private(set) var sequence: Int64 = 0
    /// Slots whose users changed; their records are marked, others were told or removed since.
    private var changed: [UInt32] = []
    private var firstChanged = 0
    /// Objects that were told to be in use, and are removed; told before all changes.
    private var gone: [RecordID] = []
    /// The next slot of a full report; `nil` when it is done.
    var nextSlot: UInt32?

    /// Begins anew, with a full report.
    mutating func begin() {
        self = PinChanges(isWanted: true, sequence: sequence, nextSlot: 1)
    }

    /// Whether there is nothing to tell.
    var isEmpty: Bool { gone.isEmpty && firstChanged == changed.count && nextSlot == nil }

    mutating func advance() -> Int64 {
        sequence += 1
        return sequence
    }

    mutating func append(_ slot: UInt32) {
        changed.append(slot)
        limit()
    }

    mutating func append(gone id: RecordID) {
        gone.append(id)
        limit()
    }

    private mutating func limit() {
        guard changed.count + gone.count > Self.countMax else { return }
        // The number moves on, so that the next request is none that goes on.
        self = PinChanges(isWanted: false, sequence: sequence + 1)
    }

    mutating func takeGone() -> RecordID? { gone.popLast() }

    mutating func takeChanged() -> UInt32? {
        guard firstChanged < changed.count else { return nil }
        defer {
            firstChanged += 1
            if firstChanged == changed.count { (changed, firstChanged) = ([], 0) }
        }
        return changed[firstChanged]
    }

    private init(isWanted: Bool, sequence: Int64, nextSlot: UInt32? = nil) {
        self.isWanted = isWanted
        self.sequence = sequence
        self.nextSlot = nextSlot
    }

    init() {}
}

/// What was used and read so far.
struct UseCounts {
    /// Objects that some session uses.
    var pinnedCount = 0
    /// Bytes of them.
    var pinnedByteCount = 0
    /// Bytes of objects handed out to be read, each time they were.
    var consumedByteCount = 0
    /// Bytes of objects removed to make room.
    var evictedByteCount = 0
}

extension ObjectStore {
    /// A session began to use an object.
    @inline(__always)
    mutating func noteUse(_ slot: UInt32, _ session: UInt32) {
        sessions[Int(session)].useCount += 1
        sessions[Int(session)].usedByteCount += table.byteCount(slot)
        if table[slot].userCount == 1 {
            uses.pinnedCount += 1
            uses.pinnedByteCount += table.byteCount(slot)
        }
        noteChange(slot)
    }

    /// A session ended its use of an object.
    @inline(__always)
    mutating func noteRelease(_ slot: UInt32, _ session: UInt32) {
        sessions[Int(session)].useCount -= 1
        sessions[Int(session)].usedByteCount -= table.byteCount(slot)
        if table[slot].userCount == 0 {
            uses.pinnedCount -= 1
            uses.pinnedByteCount -= table.byteCount(slot)
        }
        noteChange(slot)
    }

    @inline(__always)
    private mutating func noteChange(_ slot: UInt32) {
        guard pinChanges.isWanted, !table[slot].isPinChanged else { return }
        table[slot].isPinChanged = true
        pinChanges.append(slot)
    }

    /// An object is removed; nobody uses it.
    mutating func notePinsGone(_ slot: UInt32) {
        if table[slot].isPinTold, pinChanges.isWanted { pinChanges.append(gone: table[slot].id) }
        table[slot].isPinTold = false
        table[slot].isPinChanged = false
    }

    /// Milliseconds for which nobody used the object that was not used for longest.
    var idleMilliseconds: Int {
        [primaries.oldest, secondaries.oldest].filter { $0 != 0 }
            .map { Int(time.tick &- table[$0].idleSince) }.max() ?? 0
    }

    /// The sessions that use an object; one that uses it through several connections shows several times.
    func users(of slot: UInt32) -> [UInt32] {
        var users: [UInt32] = []
        var link = table[slot].users
        while link != 0 {
            users.append(links[link].session)
            link = links[link].nextOfObject
        }
        return users
    }
}
