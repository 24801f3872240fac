internal import Identifiers
internal import PlasmaProtocol

/// Objects that have to come back from the external store, in the order in which they were asked for.
struct RestoreQueue {
    private var ids: [RecordID] = []
    private var first = 0
    /// Room that is being made for the first of them.
    var search = ObjectStore.RoomSearch()
    /// Whether room for the first one depends on objects that are being written.
    var isBlocked = false
    /// Objects for which there is no room beside what is in use, and since when.
    var stalled: [(id: RecordID, since: Int64)] = []
    /// The store's `removalCount` when that was found.
    var stalledRemovalCount: UInt64 = 0

    var next: RecordID? { first < ids.count ? ids[first] : nil }

    mutating func append(_ id: RecordID) { ids.append(id) }

    mutating func removeFirst() {
        first += 1
        search = ObjectStore.RoomSearch()
        guard first == ids.count || first > 1024 else { return }
        ids.removeFirst(first)
        first = 0
    }
}

extension StoreService {
    /// Readable when `takeExternalResults()` has something to do; `nil` without an external store.
    public var externalDescriptor: Int32? { store.external?.worker.descriptor }

    /// Whether objects are being written to the external store or read from it.
    public var isExternalBusy: Bool {
        guard let external = store.external else { return false }
        return external.isWriting || external.readCount > 0
    }

    /// Lets a request go on when the external store has taken something.
    func waitForExternal(_ session: Session) { roomWaiters.append(session) }

    /// Puts an object in the line of those that come back.
    func restore(_ slot: UInt32) {
        guard store.table[slot].state == .evicted, !store.table[slot].isRestoreQueued else {
            return
        }
        store.table[slot].isRestoreQueued = true
        restores.append(store.table[slot].id)
    }

    /// Whether `pumpRestores()` has something to do.
    var hasRestores: Bool {
        (restores.next != nil && !restores.isBlocked)
            || (!restores.stalled.isEmpty && store.removalCount != restores.stalledRemovalCount)
    }

    /// Starts to bring objects back, as far as there is room; a slice.
    func pumpRestores() {
        if store.removalCount != restores.stalledRemovalCount {
            for (id, _) in restores.stalled { restores.append(id) }
            restores.stalled = []
        }
        var left = limits.sliceCountMax
        while left > 0, !restores.isBlocked, let id = restores.next {
            left -= 1
            pumpRestore(id)
        }
    }

    private func pumpRestore(_ id: RecordID) {
        let slot = store.find(id)
        guard slot != 0, store.table[slot].state == .evicted, store.table[slot].waiters != 0 else {
            if slot != 0 { store.table[slot].isRestoreQueued = false }
            return restores.removeFirst()
        }
        if !restores.search.isUnderWay,
            store.startRestore(slot, usesFallback: restores.search.usesFallback)
        {
            store.table[slot].isRestoreQueued = false
            return restores.removeFirst()
        }
        let outcome = store.makeRoom(
            for: store.table.byteCount(slot), nil, &restores.search,
            countMax: limits.sliceCountMax)
        switch outcome {
        case .tryAgain, .more: break
        case .waiting: restores.isBlocked = true
        case .impossible:
            if !restores.search.usesFallback, store.arena.fallbackByteCountMax > 0 {
                restores.search.usesFallback = true
            } else {
                restores.removeFirst()
                restores.stalled.append((id, time.monotonicMilliseconds))
                restores.stalledRemovalCount = store.removalCount
            }
        }
    }

    /// Whether objects wait for room that others have to give.
    public var hasStalledRestores: Bool { !restores.stalled.isEmpty }

    /// Answers those who wait too long for an object that finds no room.
    public func expireRestores() {
        let limit = time.monotonicMilliseconds - limits.restoreSecondsMax * 1000
        let expired = restores.stalled.filter { $0.since <= limit }
        restores.stalled.removeAll { $0.since <= limit }
        for (id, _) in expired {
            let slot = store.find(id)
            guard slot != 0, store.table[slot].state == .evicted else { continue }
            store.table[slot].isRestoreQueued = false
            store.failWaits(slot)
            say(
                "no room for object \(id) from the external store in \(limits.restoreSecondsMax) s:"
                    + " \(store.table.byteCount(slot)) bytes, all others are in use")
        }
        wakeSatisfied()
    }
}

// MARK: - What the operator has to know

extension StoreService {
    /// Whether there are lines for the log.
    public var hasMessages: Bool { !messages.isEmpty }

    /// Lines for the log since the last call.
    public func takeMessages() -> [String] {
        defer { messages = [] }
        return messages
    }

    /// Keeps a line for the log; one that was there less than 10 s ago is left out.
    func say(_ line: String) {
        let now = time.monotonicMilliseconds
        if line == lastMessage.text, now - lastMessage.time < 10_000 { return }
        lastMessage = (line, now)
        if messages.count < 100 { messages.append(line) }
    }
}
