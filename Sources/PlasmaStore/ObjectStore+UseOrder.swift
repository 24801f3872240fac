internal import Identifiers
internal import PlasmaProtocol

/// Objects that nobody uses now, in the order of their last use: a list through their records.
struct UseOrder: BitwiseCopyable {
    /// Least and most recently used; 0 when there is none.
    var oldest: UInt32 = 0
    var newest: UInt32 = 0
    /// Bytes of all of them.
    var byteCount = 0
}

extension ObjectStore {
    /// The primary copies in the common share that nobody uses now.
    var primaries: UseOrder { accounts[Account.shared].primaries }

    /// The secondary copies there.
    var secondaries: UseOrder { accounts[Account.shared].secondaries }

    /// Bytes of the objects in memory that may be removed to make room.
    var evictableByteCount: Int {
        accounts.indices.reduce(0) { sum, number in
            let counts = accounts[number].isOpen && number != Account.fallback
            return counts ? sum + evictableByteCount(of: number) : sum
        }
    }

    /// Bytes of the objects of a share that may be removed to make room in it.
    func evictableByteCount(of number: Int) -> Int {
        accounts[number].secondaries.byteCount
            + (guardsPrimaries ? 0 : accounts[number].primaries.byteCount)
    }

    /// Makes an object that nobody uses the most recently used one of its share.
    mutating func insertEvictable(_ slot: UInt32) {
        removalCount += 1
        table[slot].isEvictable = true
        table[slot].idleSince = time.tick
        var order = order(of: slot)
        table[slot].newer = 0
        table[slot].older = order.newest
        if order.newest != 0 { table[order.newest].newer = slot } else { order.oldest = slot }
        order.newest = slot
        order.byteCount += table.byteCount(slot)
        setOrder(of: slot, order)
    }

    /// Makes an object the least recently used one of its share: it could not be written out.
    mutating func insertOldest(_ slot: UInt32) {
        removalCount += 1
        table[slot].isEvictable = true
        var order = order(of: slot)
        table[slot].older = 0
        table[slot].newer = order.oldest
        if order.oldest != 0 { table[order.oldest].older = slot } else { order.newest = slot }
        order.oldest = slot
        order.byteCount += table.byteCount(slot)
        setOrder(of: slot, order)
    }

    /// Takes an object out of the order: it is in use, or goes.
    mutating func removeEvictable(_ slot: UInt32) {
        guard table[slot].isEvictable else { return }
        table[slot].isEvictable = false
        var order = order(of: slot)
        let (older, newer) = (table[slot].older, table[slot].newer)
        if older != 0 { table[older].newer = newer } else { order.oldest = newer }
        if newer != 0 { table[newer].older = older } else { order.newest = older }
        order.byteCount -= table.byteCount(slot)
        setOrder(of: slot, order)
    }

    @inline(__always)
    private func order(of slot: UInt32) -> UseOrder {
        let number = owner(slot)
        return table[slot].isSecondary
            ? accounts[number].secondaries : accounts[number].primaries
    }

    private mutating func setOrder(of slot: UInt32, _ order: UseOrder) {
        let number = owner(slot)
        if table[slot].isSecondary {
            accounts[number].secondaries = order
        } else {
            accounts[number].primaries = order
        }
    }

    /// One order after another, whose objects count as used later.
    mutating func joined(_ first: UseOrder, _ second: UseOrder) -> UseOrder {
        guard first.newest != 0 else { return second }
        guard second.oldest != 0 else { return first }
        table[first.newest].newer = second.oldest
        table[second.oldest].older = first.newest
        return UseOrder(
            oldest: first.oldest, newest: second.newest,
            byteCount: first.byteCount + second.byteCount)
    }

    /// Counts an object as just used.
    mutating func touch(_ id: RecordID) {
        let slot = find(id)
        guard slot != 0, table[slot].isEvictable else { return }
        removeEvictable(slot)
        insertEvictable(slot)
    }

    /// The object of a share that goes next when room is needed; 0 when none may.
    func nextToEvict(of number: Int) -> UInt32 {
        let account = accounts[number]
        if account.secondaries.oldest != 0 { return account.secondaries.oldest }
        return guardsPrimaries ? 0 : account.primaries.oldest
    }

    /// Takes the least recently used object of a share out of memory, secondary copies first.
    ///
    /// With an external store it starts to write it there.
    ///
    /// - Returns: its bytes; `nil` when none may go.
    mutating func evictOldest(of number: Int = Account.shared) -> Int? {
        let slot = nextToEvict(of: number)
        guard slot != 0 else { return nil }
        let byteCount = table.byteCount(slot)
        evictedCount += 1
        uses.evictedByteCount += byteCount
        if external != nil { moveOut(slot) } else { remove(slot, isTold: true) }
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
        if table[slot].state.isInMemory, table[slot].account != Account.fallback {
            secondaryByteCount += isSecondary ? table.byteCount(slot) : -table.byteCount(slot)
        }
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
        // The common share first, then the fallback file, then what quotas protect.
        for number in accounts.indices where accounts[number].isOpen {
            while slots.count < countMax, byteCount < byteCountMax {
                let slot = accounts[number].primaries.oldest
                guard slot != 0 else { break }
                byteCount += table.byteCount(slot)
                use(slot, session)
                slots.append(slot)
            }
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
