internal import Identifiers

// MARK: - Use

extension ObjectStore {
    /// The link by which `session` uses an object.
    ///
    /// - Complexity: O(users of the object).
    @inline(__always)
    func linkOfUser(_ slot: UInt32, _ session: UInt32) -> UInt32? {
        var link = table[slot].users
        while link != 0 {
            if links[link].session == session { return link }
            link = links[link].nextOfObject
        }
        return nil
    }

    /// Keeps an object for `session` until it releases it; once, however often this is called.
    mutating func use(_ slot: UInt32, _ session: UInt32) {
        guard linkOfUser(slot, session) == nil else { return }
        removeEvictable(slot)
        let link = insertLink(slot, session, table[slot].users, sessions[Int(session)].firstUse)
        table[slot].users = link
        sessions[Int(session)].firstUse = link
        table[slot].userCount += 1
        noteUse(slot, session)
    }

    /// Ends a session's use of an object; `false` when it does not use it.
    mutating func release(_ id: RecordID, _ session: UInt32) -> Bool {
        let slot = find(id)
        guard slot != 0, let link = linkOfUser(slot, session) else { return false }
        removeUse(link)
        return true
    }

    /// Ends one use; the last one of an unsealed or doomed object ends the object.
    mutating func removeUse(_ link: UInt32) {
        let (slot, session) = (links[link].object, links[link].session)
        let next = unlink(link)
        if table[slot].users == link { table[slot].users = next.ofObject }
        if sessions[Int(session)].firstUse == link {
            sessions[Int(session)].firstUse = next.ofSession
        }
        table[slot].userCount -= 1
        noteRelease(slot, session)
        guard table[slot].userCount == 0 else { return }
        if table[slot].state == .created {
            remove(slot, isTold: false)
        } else if table[slot].isDoomed {
            remove(slot, isTold: true)
        } else if table[slot].outgoing == 0 {
            insertEvictable(slot)
        }
    }

    /// Ends up to `countMax` uses of a session; `true` when none are left.
    ///
    /// The unsealed objects that it created go: nobody else can use them.
    mutating func releaseAll(_ session: UInt32, countMax: Int) -> Bool {
        for _ in 0..<countMax {
            let link = sessions[Int(session)].firstUse
            guard link != 0 else { return true }
            removeUse(link)
        }
        return sessions[Int(session)].firstUse == 0
    }
}

// MARK: - Waits

extension ObjectStore {
    /// Notes that `session` waits for an object that is not sealed, or not there at all.
    mutating func wait(_ id: RecordID, _ session: UInt32) {
        var slot = table.find(id)
        if slot == 0 { slot = table.insert(id, .awaited) }
        precondition(table[slot].state != .sealed, "a wait for an object that is there")
        let first = table[slot].waiters
        // Naming an object a thousand times in one request waits for it once.
        if first != 0, links[first].session == session { return }
        let link = insertLink(slot, session, first, sessions[Int(session)].firstWait)
        table[slot].waiters = link
        sessions[Int(session)].firstWait = link
        sessions[Int(session)].waitCount += 1
        if table[slot].state == .awaited { needs.append(id) }
    }

    /// Ends up to `countMax` waits of a session; `true` when none are left.
    mutating func stopWaiting(_ session: UInt32, countMax: Int) -> Bool {
        for _ in 0..<countMax {
            let link = sessions[Int(session)].firstWait
            guard link != 0 else { return true }
            let slot = links[link].object
            removeWait(link)
            if table[slot].waiters == 0, table[slot].state == .awaited { table.remove(slot) }
        }
        return sessions[Int(session)].firstWait == 0
    }

    /// Ends a session's wait for one object, unless that is only being brought back from the
    /// external store.
    mutating func stopWaiting(_ id: RecordID, _ session: UInt32) {
        let slot = table.find(id)
        guard slot != 0, !table[slot].state.isSealed else { return }
        var link = table[slot].waiters
        while link != 0, links[link].session != session { link = links[link].nextOfObject }
        guard link != 0 else { return }
        removeWait(link)
        if table[slot].waiters == 0, table[slot].state == .awaited { table.remove(slot) }
    }

    /// An object cannot be brought back: those who wait for it go on without it.
    mutating func failWaits(_ slot: UInt32) {
        while table[slot].waiters != 0 {
            let link = table[slot].waiters
            let session = links[link].session
            removeWait(link)
            if sessions[Int(session)].waitCount == 0 { satisfied.append(session) }
        }
    }

    /// An object was sealed: those who wait for it use it now.
    mutating func satisfyWaits(_ slot: UInt32) {
        while table[slot].waiters != 0 {
            let link = table[slot].waiters
            let session = links[link].session
            removeWait(link)
            use(slot, session)
            if sessions[Int(session)].waitCount == 0 { satisfied.append(session) }
        }
    }

    private mutating func removeWait(_ link: UInt32) {
        let (slot, session) = (links[link].object, Int(links[link].session))
        let next = unlink(link)
        if table[slot].waiters == link { table[slot].waiters = next.ofObject }
        if sessions[session].firstWait == link { sessions[session].firstWait = next.ofSession }
        sessions[session].waitCount -= 1
    }
}

// MARK: - Lists

extension ObjectStore {
    private mutating func insertLink(
        _ slot: UInt32, _ session: UInt32, _ firstOfObject: UInt32, _ firstOfSession: UInt32
    ) -> UInt32 {
        let link = links.insert(
            Link(
                object: slot, session: session, nextOfObject: firstOfObject,
                nextOfSession: firstOfSession))
        if firstOfObject != 0 { links[firstOfObject].previousOfObject = link }
        if firstOfSession != 0 { links[firstOfSession].previousOfSession = link }
        return link
    }

    /// Takes a link out of both its lists and frees it; says what followed it in each.
    private mutating func unlink(_ link: UInt32) -> (ofObject: UInt32, ofSession: UInt32) {
        let old = links[link]
        if old.nextOfObject != 0 {
            links[old.nextOfObject].previousOfObject = old.previousOfObject
        }
        if old.previousOfObject != 0 {
            links[old.previousOfObject].nextOfObject = old.nextOfObject
        }
        if old.nextOfSession != 0 {
            links[old.nextOfSession].previousOfSession = old.previousOfSession
        }
        if old.previousOfSession != 0 {
            links[old.previousOfSession].nextOfSession = old.nextOfSession
        }
        links.remove(link)
        return (old.nextOfObject, old.nextOfSession)
    }
}
