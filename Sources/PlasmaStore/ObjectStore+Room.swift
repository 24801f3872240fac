internal import Identifiers

extension ObjectStore {
    /// How far making room for one object has come.
    struct RoomSearch: Equatable {
        /// Bytes to free before trying again; 0 before the first slice.
        var goal = 0
        var freed = 0
        /// The share that has to give them.
        var account = Account.shared
        /// Whether memory has no room and the fallback file is tried.
        var usesFallback = false
        /// Failures of the external store when the search began; -1 before it did.
        var failureCount = -1

        /// Whether a slice of evicting is due before the next try.
        var isUnderWay: Bool { goal > 0 }
    }

    /// What a slice of making room came to.
    enum RoomOutcome: Equatable {
        /// Enough went: worth trying again.
        case tryAgain
        /// Another slice is needed.
        case more
        /// Objects are being written to the external store; worth trying again after that.
        case waiting
        /// What is in use leaves no room; nothing more was removed.
        case impossible
    }

    /// Removes least recently used objects: at least what is missing, and of the common share at
    /// least a fifth of the capacity, so that a full store does not do this for every object.
    ///
    /// Removes nothing when the object would not fit beside those in use, where Arrow's store
    /// removes everything first and refuses then.
    ///
    /// - Parameter session: whose object it is; `nil` for one of the common share.
    mutating func makeRoom(
        for byteCount: Int, _ session: UInt32?, _ search: inout RoomSearch, countMax: Int
    ) -> RoomOutcome {
        if !search.isUnderWay {
            if let outcome = plan(for: byteCount, session, &search) { return outcome }
        }
        for _ in 0..<countMax {
            guard search.freed < search.goal, let freed = evictOldest(of: search.account) else {
                search.goal = 0
                search.freed = 0
                external?.send()
                return external?.isWriting == true ? .waiting : .tryAgain
            }
            search.freed += freed
        }
        external?.send()
        return .more
    }

    /// Sets the goal of a search; says what comes of it when nothing has to be evicted for it now.
    private mutating func plan(
        for byteCount: Int, _ session: UInt32?, _ search: inout RoomSearch
    ) -> RoomOutcome? {
        let failureCount = external?.failureCount ?? 0
        if search.failureCount < 0 { search.failureCount = failureCount }
        let (number, missing) = shortage(for: byteCount, session, search)
        let leaving = accounts[number].leavingByteCount
        let evictable = evictableByteCount(of: number)
        guard missing <= evictable + leaving, evictable + leaving > 0,
            search.failureCount == failureCount
        else {
            // What was deleted while it was being written out is free once that is done.
            return external?.hasOrphans == true ? .waiting : .impossible
        }
        if leaving > 0, missing <= leaving { return .waiting }
        search.account = number
        let least = number == Account.shared ? capacity / 5 : 1
        search.goal = max(missing - leaving, least, 1)
        return nil
    }

    /// Which share lacks how much room for an object; less than 1 when only fragments are free.
    private func shortage(
        for byteCount: Int, _ session: UInt32?, _ search: RoomSearch
    ) -> (account: Int, byteCount: Int) {
        var number = session.flatMap { account(for: byteCount, $0) } ?? Account.shared
        if search.usesFallback { number = Account.fallback }
        let missing = accounts[number].usedByteCount + byteCount - accounts[number].capacity
        guard number != Account.shared, number != Account.fallback, missing <= 0 else {
            return (number, missing)
        }
        // The quota has room that objects of the common share still take.
        return (Account.shared, usedByteCount + byteCount - capacity)
    }
}
