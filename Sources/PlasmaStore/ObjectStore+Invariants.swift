extension ObjectStore {
    /// Whether every count and link agrees with the objects; O(everything), for tests.
    func invariantsHold() -> Bool {
        var used = [Int](repeating: 0, count: accounts.count)
        var evictable = used
        var leaving = used
        var secondary = 0
        var pinned = 0
        var present = 0
        for number in 0..<table.slotCount {
            let slot = UInt32(number + 1)
            let record = table[slot]
            guard record.state != .free else { continue }
            guard isSound(slot, record) else { return false }
            guard record.state.isPresent else { continue }
            present += 1
            guard record.state.isInMemory else { continue }
            used[owner(slot)] += record.byteCount
            if record.userCount > 0 { pinned += record.byteCount }
            if record.isEvictable { evictable[owner(slot)] += record.byteCount }
            if record.isSecondary, record.account != Account.fallback {
                secondary += record.byteCount
            }
            if record.outgoing != 0 { leaving[owner(slot)] += record.byteCount }
        }
        for (number, account) in accounts.enumerated() where account.isOpen {
            guard account.usedByteCount == used[number],
                account.primaries.byteCount + account.secondaries.byteCount == evictable[number],
                account.leavingByteCount == leaving[number], orderIsSound(account.primaries),
                orderIsSound(account.secondaries)
            else { return false }
        }
        let inFile = accounts[Account.fallback].usedByteCount
        return used.reduce(0, +) == usedByteCount + inFile && present == objectCount
            && secondary == secondaryByteCount && pinned == uses.pinnedByteCount
            && usedByteCount <= capacity && arena.fallbackByteCount == inFile
            && arena.invariantsHold()
    }

    private func isSound(_ slot: UInt32, _ record: ObjectRecord) -> Bool {
        var userCount: Int32 = 0
        var link = record.users
        while link != 0 {
            guard links[link].object == slot else { return false }
            userCount += 1
            link = links[link].nextOfObject
        }
        let isIdle = record.state == .sealed && userCount == 0 && record.outgoing == 0
        return table.find(record.id) == slot && userCount == record.userCount
            && record.isEvictable == isIdle && (record.state.isPresent || record.waiters != 0)
            && (record.state != .evicted || record.storedFile != 0)
    }

    /// Whether a share's order of last use is the same forwards and backwards, with all its bytes.
    private func orderIsSound(_ order: UseOrder) -> Bool {
        var byteCount = 0
        var before: UInt32 = 0
        var slot = order.oldest
        while slot != 0 {
            guard table[slot].isEvictable, table[slot].older == before else { return false }
            byteCount += table.byteCount(slot)
            before = slot
            slot = table[slot].newer
        }
        return before == order.newest && byteCount == order.byteCount
    }
}
