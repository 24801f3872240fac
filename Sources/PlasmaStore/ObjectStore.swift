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
        /// Objects that it uses.
        var useCount = 0
        /// Bytes of them.
        var usedByteCount = 0
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
    /// Whose use of which object the node manager was not told of.
    var pinChanges = PinChanges()
    var uses = UseCounts()
    /// Sessions whose last wait is over, for the caller to take.
    var satisfied: [UInt32] = []

    var links = Pool<Link>()
    var sessions: [SessionLinks] = []
    private var freeSessions: [UInt32] = []
    /// The primary copies that nobody uses now; every object is one until it is said to be none.
    var primaries = UseOrder()
    /// The secondary copies that nobody uses now.
    var secondaries = UseOrder()
    /// Whether primary copies stay, because a node manager spills them.
    var guardsPrimaries = false
    /// Bytes of all objects.
    var usedByteCount = 0
    /// Bytes of all secondary copies.
    var secondaryByteCount = 0
    /// Awaited objects that the node manager was not told of; kept only for one.
    var needs = AwaitedObjects()
    /// Objects, sealed or not.
    var objectCount = 0
    var sealedCount = 0
    /// Creates and seals so far.
    var order: UInt64 = 0
    /// Objects removed, and objects that nobody uses any more, since the start.
    var removalCount: UInt64 = 0
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
        notePinsGone(slot)
        arena.free(record.piece, now: time.tick)
        usedByteCount -= record.byteCount
        if record.isSecondary { secondaryByteCount -= record.byteCount }
        removalCount += 1
        objectCount -= 1
        if record.state == .sealed { sealedCount -= 1 }
        if isTold { notifications.delete(record.id) }
        if record.waiters == 0 {
            table.remove(slot)
        } else {
            table[slot].state = .awaited
            table[slot].isDoomed = false
            table[slot].isSecondary = false
        }
    }
}
