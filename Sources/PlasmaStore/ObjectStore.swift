internal import Identifiers
internal import PlasmaProtocol

/// The objects: what is where, who uses it, what goes next.
///
/// It knows no message and no socket. Everything here takes constant time, but for lists that belong to one object or one session;
/// those are walked in slices.
///
/// What only looks and is called by what changes something for every request is inlined: the compiler
/// (6.3) copies the whole struct, near 700 bytes, for such a call.
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
        /// The share that what it creates is counted in.
        var account = Account.shared
        var isOpen = false
    }

    /// Bytes of objects that fit, data and metadata counted as asked for.
    let capacity: Int
    var time = StoreTime(unixSeconds: 0, monotonicMilliseconds: 0)
    var table = ObjectTable()
    var arena: ObjectMemory
    var notifications = NotificationLog()
    /// Whose use of which object the node manager was not told of.
    var pinChanges = PinChanges()
    var uses = UseCounts()
    /// Sessions whose last wait is over, for the caller to take.
    var satisfied: [UInt32] = []

    var links = Pool<Link>()
    var sessions: [SessionLinks] = []
    private var freeSessions: [UInt32] = []
    /// The common share, the fallback file's, then one for each quota.
    var accounts = [Account(), Account()]
    /// Shares that no object and no client belongs to.
    var freeAccounts: [Int] = []
    var quotaCount = 0
    /// Bytes of all objects in memory; those in the fallback file are not counted.
    var usedByteCount = 0
    /// Objects, sealed or not.
    var objectCount = 0
    var sealedCount = 0
    /// Bytes of the secondary copies among them.
    var secondaryByteCount = 0
    /// Whether primary copies stay, because a node manager spills them.
    var guardsPrimaries = false
    /// Awaited objects that the node manager was not told of; kept only for one.
    var needs = AwaitedObjects()
    /// Where evicted objects go; without it they are dropped.
    let external: ExternalStore?
    /// Creates and seals so far.
    var order: UInt64 = 0
    /// Objects removed, and objects that nobody uses any more, since the start.
    var removalCount: UInt64 = 0
    /// Objects removed from memory to make room, since the start.
    var evictedCount = 0
    /// Objects put into the fallback file, since the start.
    var fallbackCount = 0

    init(_ configuration: StoreConfiguration) throws(ArenaError) {
        let memory = try ObjectMemory(configuration)
        if let directory = configuration.externalDirectory {
            external = try ExternalStore(directory: directory)
        } else {
            external = nil
        }
        capacity = configuration.capacity
        arena = memory
        accounts[Account.shared].capacity = capacity
        accounts[Account.fallback].capacity = configuration.fallbackByteCountMax
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
        endQuota(session)
        sessions[Int(session)].isOpen = false
        freeSessions.append(session)
    }

    /// The object of an id, sealed or not; 0 when there is none.
    func find(_ id: RecordID) -> UInt32 {
        let slot = table.find(id)
        return slot != 0 && table[slot].state.isPresent ? slot : 0
    }

    /// Whether an object can be read, perhaps after it was brought back from the external store.
    func contains(_ id: RecordID) -> Bool {
        let slot = table.find(id)
        return slot != 0 && table[slot].state.isSealed
    }

    /// Removes an object's bytes, and its record unless somebody waits for the next of its id.
    mutating func remove(_ slot: UInt32, isTold: Bool) {
        precondition(
            table[slot].state.isPresent && table[slot].userCount == 0,
            "an object removed while in use")
        if table[slot].state == .evicted { failWaits(slot) }
        removeEvictable(slot)
        notePinsGone(slot)
        if table[slot].state.isInMemory { giveUpMemory(slot) }
        if table[slot].storedFile != 0 { forgetStored(slot) }
        objectCount -= 1
        if table[slot].state.isSealed { sealedCount -= 1 }
        if isTold { notifications.delete(table[slot].id) }
        if table[slot].waiters == 0 {
            table.remove(slot)
        } else {
            table[slot].state = .awaited
            table[slot].isDoomed = false
            table[slot].isSecondary = false
        }
    }

    /// Frees an object's memory; what is being written from it is kept until that is done.
    mutating func giveUpMemory(_ slot: UInt32) {
        if table[slot].outgoing != 0 {
            accounts[owner(slot)].leavingByteCount -= table.byteCount(slot)
            external?.orphan()
            table[slot].outgoing = 0
        } else {
            arena.free(table[slot].piece, byteCount: table.byteCount(slot), now: time.tick)
        }
        discharge(slot)
        removalCount += 1
    }
}
