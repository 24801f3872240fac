internal import Identifiers
internal import PlasmaProtocol

/// The objects: what is where, who uses it, what goes next.
///
/// It knows no message and no socket. Everything here takes constant time, but for lists that belong to one object or one session;
/// those are walked in slices.
struct ObjectStore: ~Copyable {
    /// What a session uses and waits for.
    struct SessionLinks {
        var firstUse: UInt32 = 0
        var firstWait: UInt32 = 0
        /// Waits that are not over.
        var waitCount = 0
        var isOpen = false
    }

    /// Bytes of objects that fit, data and metadata counted as asked for.
    let capacity: Int
    var time = StoreTime(unixSeconds: 0, monotonicMilliseconds: 0)
    var table = ObjectTable()
    var arena: Arena
    var notifications = NotificationLog()
    /// Sessions whose last wait is over, for the caller to take.
    var satisfied: [UInt32] = []

    var links = Pool<Link>()
    var sessions: [SessionLinks] = []
    private var freeSessions: [UInt32] = []
    /// Least and most recently used of the objects that nobody uses now.
    var oldest: UInt32 = 0
    var newest: UInt32 = 0
    /// Bytes of all objects.
    var usedByteCount = 0
    /// Bytes of the objects that nobody uses now.
    var evictableByteCount = 0
    /// Objects, sealed or not.
    var objectCount = 0
    var sealedCount = 0
    /// Creates and seals so far.
    var order: UInt64 = 0
    /// Objects removed to make room, since the start.
    var evictedCount = 0

    init(capacity: Int, directory: String?) throws(ArenaError) {
        self.capacity = capacity
        arena = try Arena(capacity: capacity, directory: directory)
    }

    /// A number for a new session.
    mutating func openSession() -> UInt32 {
        if let number = freeSessions.popLast() {
            sessions[Int(number)].isOpen = true
            return number
        }
        var links = SessionLinks()
        links.isOpen = true
        sessions.append(links)
        return UInt32(sessions.count - 1)
    }

    /// Frees the number of a session that uses and awaits nothing any more.
    mutating func closeSession(_ session: UInt32) {
        let links = sessions[Int(session)]
        precondition(
            links.isOpen && links.firstUse == 0 && links.firstWait == 0,
            "a session closed while it holds objects")
        sessions[Int(session)].isOpen = false
        freeSessions.append(session)
    }

    /// The object of an id, sealed or not; 0 when there is none.
    func find(_ id: RecordID) -> UInt32 {
        let slot = table.find(id)
        return slot != 0 && table[slot].isPresent ? slot : 0
    }

    /// Whether an object can be read.
    func contains(_ id: RecordID) -> Bool {
        let slot = table.find(id)
        return slot != 0 && table[slot].state == .sealed
    }

    /// Removes an object's bytes, and its record unless somebody waits for the next of its id.
    mutating func remove(_ slot: UInt32, isTold: Bool) {
        let record = table[slot]
        precondition(record.isPresent && record.userCount == 0, "an object removed while in use")
        removeEvictable(slot)
        arena.free(record.piece, now: time.tick)
        usedByteCount -= record.byteCount
        objectCount -= 1
        if record.state == .sealed { sealedCount -= 1 }
        if isTold { notifications.delete(record.id) }
        if record.waiters == 0 {
            table.remove(slot)
        } else {
            table[slot].state = .awaited
            table[slot].isDoomed = false
        }
    }
}

// MARK: - The order of last use

extension ObjectStore {
    /// Makes an object that nobody uses the most recently used one.
    mutating func insertEvictable(_ slot: UInt32) {
        table[slot].isEvictable = true
        table[slot].newer = 0
        table[slot].older = newest
        if newest != 0 { table[newest].newer = slot } else { oldest = slot }
        newest = slot
        evictableByteCount += table[slot].byteCount
    }

    mutating func removeEvictable(_ slot: UInt32) {
        guard table[slot].isEvictable else { return }
        let (older, newer) = (table[slot].older, table[slot].newer)
        if older != 0 { table[older].newer = newer } else { oldest = newer }
        if newer != 0 { table[newer].older = older } else { newest = older }
        table[slot].isEvictable = false
        evictableByteCount -= table[slot].byteCount
    }

    /// Counts an object as just used.
    mutating func touch(_ id: RecordID) {
        let slot = find(id)
        guard slot != 0, table[slot].isEvictable else { return }
        removeEvictable(slot)
        insertEvictable(slot)
    }

    /// Removes the least recently used object; `nil` when every object is in use.
    mutating func evictOldest() -> Int? {
        guard oldest != 0 else { return nil }
        let byteCount = table[oldest].byteCount
        evictedCount += 1
        remove(oldest, isTold: true)
        return byteCount
    }
}
