internal import Identifiers
internal import PlasmaProtocol

// MARK: - Quotas

extension ObjectStore {
    /// Cuts a quota out of the common share for what `session` creates; `false` when it has one
    /// already or too little would be left for all.
    mutating func setQuota(_ byteCount: Int, _ session: UInt32) -> Bool {
        let rest = accounts[Account.shared].capacity - byteCount
        let (share, isTooMuch) = capacity.multipliedReportingOverflow(by: Account.reservePercent)
        guard sessions[Int(session)].account == Account.shared, byteCount > 0, !isTooMuch,
            rest >= share / 100
        else { return false }
        accounts[Account.shared].capacity = rest
        quotaCount += 1
        var account = Account()
        account.capacity = byteCount
        if let free = freeAccounts.popLast() {
            accounts[free] = account
            sessions[Int(session)].account = free
        } else {
            accounts.append(account)
            sessions[Int(session)].account = accounts.count - 1
        }
        return true
    }

    /// Gives a session's quota back to all; its objects count as theirs from now on.
    ///
    /// - Complexity: O(1); the records go on naming the old share, which stands for the common one.
    mutating func endQuota(_ session: UInt32) {
        let number = sessions[Int(session)].account
        guard number != Account.shared else { return }
        sessions[Int(session)].account = Account.shared
        let old = accounts[number]
        accounts[number].isOpen = false
        quotaCount -= 1
        accounts[Account.shared].capacity += old.capacity
        accounts[Account.shared].usedByteCount += old.usedByteCount
        accounts[Account.shared].leavingByteCount += old.leavingByteCount
        accounts[Account.shared].primaries =
            joined(accounts[Account.shared].primaries, old.primaries)
        accounts[Account.shared].secondaries =
            joined(accounts[Account.shared].secondaries, old.secondaries)
        if old.objectCount == 0 { freeAccounts.append(number) }
    }

    /// The share that an object of `byteCount` bytes of a session is to be counted in; `nil` when
    /// it is larger than the session's quota.
    ///
    /// A client that uses its whole quota at once goes on in the common share, as with Arrow.
    @inline(__always)
    func account(for byteCount: Int, _ session: UInt32) -> Int? {
        let number = sessions[Int(session)].account
        guard number != Account.shared else { return Account.shared }
        let own = accounts[number]
        guard byteCount <= own.capacity else { return nil }
        let missing = own.usedByteCount + byteCount - own.capacity
        return missing <= evictableByteCount(of: number) + own.leavingByteCount
            ? number : Account.shared
    }

    /// Whether `byteCount` bytes more fit into a share, fragments apart.
    @inline(__always)
    func hasRoom(for byteCount: Int, in number: Int) -> Bool {
        (number == Account.fallback || usedByteCount + byteCount <= capacity)
            && accounts[number].usedByteCount + byteCount <= accounts[number].capacity
    }

    /// Counts an object in memory in a share.
    mutating func charge(_ slot: UInt32, to number: Int) {
        let byteCount = table.byteCount(slot)
        table[slot].account = UInt32(number)
        accounts[number].usedByteCount += byteCount
        accounts[number].objectCount += 1
        guard number != Account.fallback else { return }
        usedByteCount += byteCount
        if table[slot].isSecondary { secondaryByteCount += byteCount }
    }

    /// Ends `charge`: the object is no longer in memory.
    mutating func discharge(_ slot: UInt32) {
        let byteCount = table.byteCount(slot)
        let named = Int(table[slot].account)
        accounts[owner(slot)].usedByteCount -= byteCount
        if named != Account.fallback {
            usedByteCount -= byteCount
            if table[slot].isSecondary { secondaryByteCount -= byteCount }
        }
        accounts[named].objectCount -= 1
        table[slot].account = UInt32(Account.shared)
        if !accounts[named].isOpen, accounts[named].objectCount == 0 {
            freeAccounts.append(named)
        }
    }

    /// The share that an object is counted in now.
    func owner(_ slot: UInt32) -> Int {
        let named = Int(table[slot].account)
        return accounts[named].isOpen ? named : Account.shared
    }
}
