internal import Identifiers
internal import PlasmaProtocol

/// Objects that nobody uses now, in the order of their last use: a list through their records.
struct UseOrder {
    /// Least and most recently used; 0 when there is none.
    var oldest: UInt32 = 0
    var newest: UInt32 = 0
    /// Bytes of all of them.
    var byteCount = 0
}

extension ObjectStore {
    /// Bytes of the objects that may be removed to make room.
    var evictableByteCount: Int {
        secondaries.byteCount + (guardsPrimaries ? 0 : primaries.byteCount)
    }

    /// Makes an object that nobody uses the most recently used one.
    mutating func insertEvictable(_ slot: UInt32) {
        removalCount += 1
        table[slot].isEvictable = true
        table[slot].idleSince = time.tick
        var order = order(of: slot)
        table[slot].newer = 0
        table[slot].older = order.newest
        if order.newest != 0 { table[order.newest].newer = slot } else { order.oldest = slot }
        order.newest = slot
        order.byteCount += table[slot].byteCount
        setOrder(of: slot, order)
    }

    mutating func removeEvictable(_ slot: UInt32) {
        guard table[slot].isEvictable else { return }
        table[slot].isEvictable = false
        var order = order(of: slot)
        let (older, newer) = (table[slot].older, table[slot].newer)
        if older != 0 { table[older].newer = newer } else { order.oldest = newer }
        if newer != 0 { table[newer].older = older } else { order.newest = older }
        order.byteCount -= table[slot].byteCount
        setOrder(of: slot, order)
    }

    private func order(of slot: UInt32) -> UseOrder {
        table[slot].isSecondary ? secondaries : primaries
    }

    private mutating func setOrder(of slot: UInt32, _ order: UseOrder) {
        if table[slot].isSecondary { secondaries = order } else { primaries = order }
    }

    /// Counts an object as just used.
    mutating func touch(_ id: RecordID) {
        let slot = find(id)
        guard slot != 0, table[slot].isEvictable else { return }
        removeEvictable(slot)
        insertEvictable(slot)
    }

    /// The object that goes next when room is needed; 0 when none may.
    var nextToEvict: UInt32 {
        if secondaries.oldest != 0 { return secondaries.oldest }
        return guardsPrimaries ? 0 : primaries.oldest
    }

    /// Removes the least recently used object, secondary copies first; `nil` when none may go.
    mutating func evictOldest() -> Int? {
        let slot = nextToEvict
        guard slot != 0 else { return nil }
        let byteCount = table[slot].byteCount
        evictedCount += 1
        uses.evictedByteCount += byteCount
        remove(slot, isTold: true)
        return byteCount
    }

    /// Says whether an object is a secondary copy; `false` when there is no such object.
    mutating func mark(_ id: RecordID, isSecondary: Bool) -> Bool {
        let slot = find(id)
        guard slot != 0 else { return false }
        guard table[slot].isSecondary != isSecondary else { return true }
        let isIdle = table[slot].isEvictable
        removeEvictable(slot)
        table[slot].isSecondary = isSecondary
        secondaryByteCount += isSecondary ? table[slot].byteCount : -table[slot].byteCount
        if isIdle { insertEvictable(slot) }
        return true
    }

    /// Makes `session` use the primary copies that nobody used for longest.
    ///
    /// - Returns: their slots: as many as `countMax`, and up to the one that passes `byteCountMax`.
    mutating func takeOldestPrimaries(
        _ session: UInt32, countMax: Int, byteCountMax: Int
    ) -> [UInt32] {
        var slots: [UInt32] = []
        var byteCount = 0
        while slots.count < countMax, byteCount < byteCountMax, primaries.oldest != 0 {
            let slot = primaries.oldest
            byteCount += table[slot].byteCount
            use(slot, session)
            slots.append(slot)
        }
        return slots
    }

    /// Removes an object unless it is unsealed, or someone else than `session` uses it.
    mutating func deleteUnused(_ id: RecordID, _ session: UInt32) -> StoreError? {
        let slot = find(id)
        guard slot != 0 else { return .objectNotFound }
        guard table[slot].state == .sealed else { return .objectNotSealed }
        let link = linkOfUser(slot, session)
        guard table[slot].userCount == (link == nil ? 0 : 1) else { return .objectInUse }
        if let link {
            let isDoomed = table[slot].isDoomed
            removeUse(link)
            // The last use of a doomed object removed it.
            if isDoomed { return nil }
        }
        remove(slot, isTold: true)
        return nil
    }
}

/// Objects that sessions began to wait for, until the node manager is told.
struct AwaitedObjects {
    /// More are not kept: the node manager then gets those that are awaited still.
    private static let countMax = 1 << 16

    private(set) var ids: [RecordID] = []
    /// Whether some were not kept.
    var isOverfull = false
    /// Whether there is a node manager to tell.
    var isWanted = false

    mutating func append(_ id: RecordID) {
        guard isWanted else { return }
        if ids.count < Self.countMax { ids.append(id) } else { isOverfull = true }
    }

    /// Up to `countMax` of them, the first first.
    mutating func take(_ countMax: Int) -> [RecordID] {
        let taken = Array(ids.prefix(countMax))
        ids.removeFirst(taken.count)
        return taken
    }
}
