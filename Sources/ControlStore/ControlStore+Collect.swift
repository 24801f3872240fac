public import Identifiers

extension ControlStore {
    /// Ends a batch: collects it and its descendants, now or when no active batch depends on it any more;
    /// or only marks it when its records are to stay.
    ///
    /// - Parameter isNoGC: leave the records until an END without it.
    public mutating func endBatch(_ id: BatchID, isNoGC: Bool) throws(StoreError) -> EndResult {
        guard id != .root else { throw .rootBatch }
        return end(try batch(id), .end, isNoGC: isNoGC)
    }

    private mutating func end(
        _ batch: BatchPointer, _ reason: CollectReason, isNoGC: Bool
    ) -> EndResult {
        guard batch.pointee.status != .deferred else { return .deferred }
        let (slot, generation) = (
            batch.pointee.slot, batches.generation(ofSlot: batch.pointee.slot)
        )
        let isMarking = isNoGC || batch.pointee.isNoCleanup
        let members = tree(batch)
        var changed: [UInt32] = []
        for member in members where member.pointee.status == .active || !isMarking {
            setDeadline(member, 0)
            if member.pointee.status == .active { member.pointee.endedAt = now }
            guard member.pointee.status != .deferred else { continue }
            let parent = batches.batch(atSlot: member.pointee.parent) ?? root
            // What a NOCLEANUP batch ends is done like it, and waits with it.
            let isTakenAlong =
                member.pointee.status == .done || member.pointee.isNoCleanup
                || parent.pointee.goesWithParent
            member.pointee.goesWithParent = !isMarking && member != batch && isTakenAlong
            member.pointee.status = isMarking ? .done : .deferred
            member.pointee.reason = member == batch ? reason : .parent
            journal.note(member.pointee.id)
            changed.append(member.pointee.slot)
        }
        // What it held while it was active, it holds on as long as it is held itself.
        if !isMarking, members.count == 1, isHeldDirectly(batch) { return .deferred }
        release(changed)
        if isMarking { return .ended }
        // Free to go, it is gone, or goes in the next slices.
        if batches.batch(atSlot: slot, generation: generation) == nil { return .collected }
        return releasing.contains { $0 == (slot, generation) } ? .collected : .deferred
    }

    /// Collects a batch and its descendants, their kept objects too: at once when they are few, else in
    /// slices.
    ///
    /// - Returns: the tasks and objects released; or the work that will tell.
    public mutating func destroyBatch(
        _ id: BatchID
    ) throws(StoreError) -> (count: Int, rest: Job?) {
        guard id != .root else { throw .rootBatch }
        return collect(try batch(id), .destroy)
    }

    /// Collects a batch because its key was deleted: at once when it has few descendants, else in slices.
    ///
    /// - Returns: whether it lived; and the work that goes on.
    public mutating func deleteBatch(
        _ id: BatchID
    ) throws(StoreError) -> (isDeleted: Bool, rest: Job?) {
        guard id != .root else { throw .rootBatch }
        guard let batch = batches.find(id, memory.seeds) else { return (false, nil) }
        return (true, collect(batch, .del).rest)
    }

    /// Collects the batches whose time has passed, a few at most: the others wait for `maintain()`.
    public mutating func expireDueBatches() { _ = expireBatches(budget: 4) }

    /// Collects batches whose time has passed, at most `budget` of them; whether more wait.
    mutating func expireBatches(budget: Int) -> Bool {
        for _ in 0..<budget {
            guard let batch = deadlines.first, batch.pointee.deadline <= now else { return false }
            _ = end(batch, .timeout, isNoGC: false)
        }
        return true
    }

    private func tree(_ top: BatchPointer) -> [BatchPointer] {
        var members = [top]
        var visited = 0
        while visited < members.count {
            var child = batches.batch(atSlot: members[visited].pointee.firstChild)
            while let next = child {
                members.append(next)
                child = batches.batch(atSlot: next.pointee.nextSibling)
            }
            visited += 1
        }
        return members
    }

    /// Unlinks one batch without children: its records are gone for everybody; memory follows later.
    mutating func collectOne(
        _ batch: BatchPointer, _ reason: CollectReason, parent: BatchPointer, takesKept: Bool
    ) -> Int {
        if !takesKept {
            if batch.pointee.kept.count > 0 { objectsMoved(from: batch, to: parent) }
            passKept(batch, to: parent)
            passPinned(batch)
        }
        let id = batch.pointee.id
        let tasks = batch.pointee.totalTaskCount
        let objects = batch.pointee.totalObjectCount + Int(batch.pointee.kept.count)
        var (adopted, outputs): ([RecordID], [RecordID]) = ([], [])
        for head in [batch.pointee.adopted.head, batch.pointee.kept.head] {
            collectIDs(head, notOf: id, into: &adopted, outputs: &outputs)
        }
        taskCount -= tasks
        objectCount -= objects
        actorCount -= Int(batch.pointee.actorRecordCount)
        unlinkChild(batch)
        bury(batch)
        tombstones.insert(id, endedAt: now, &memory)
        journal.noteEnded(id, at: now)
        let kept = batch.pointee.hasStrays ? strayObjects(ofPrefix: id) : []
        settleLineage(of: batch, survivors: kept, outputs: outputs)
        announce(
            .batch(id, reason, taskCount: tasks, objectCount: objects, kept: kept, adopted: adopted)
        )
        return tasks + objects
    }

    private mutating func passKept(_ batch: BatchPointer, to parent: BatchPointer) {
        while batch.pointee.kept.head != none {
            let reference = batch.pointee.kept.head
            let key = key(ofStray: reference)
            guard let place = estate.find(key, memory.seeds) else {
                preconditionFailure("a kept object that the estate does not find")
            }
            give(key, at: Site(batch: batch, place: place, isStray: true), to: parent)
        }
    }

    /// Gives what is pinned to the root; it goes when it is unpinned.
    private mutating func passPinned(_ batch: BatchPointer) {
        var next = batch.pointee.adopted.head
        while next != none {
            let reference = next
            next = nextOfOwner(reference)
            guard key(ofStray: reference).kind == .object else { continue }
            let record = ObjectRecord(payload(ofStray: reference))
            guard record.isPinned else { continue }
            unlinkOwner(reference, batch)
            record.isOrphan = true
            noteStray(reference)
            linkOwner(reference, root, isKept: false)
        }
    }

    /// Tells objects of other prefixes in a chain; `outputs` are those that their tasks count.
    private mutating func collectIDs(
        _ head: UInt32, notOf prefix: BatchID, into ids: inout [RecordID],
        outputs: inout [RecordID]
    ) {
        var next = head
        while next != none {
            let key = key(ofStray: next)
            if key.kind == .task { strayTaskGoes(next) }
            if key.kind == .object, key.id.batch != prefix {
                ids.append(key.id)
                if ObjectRecord(payload(ofStray: next)).isCounted { outputs.append(key.id) }
            }
            next = nextOfOwner(next)
        }
    }

    /// Files a deletion in the log, and leaves it for the server to publish.
    mutating func announce(_ subject: Deletion.Subject) {
        let deletion = Deletion(id: log.nextID(now: now), subject: subject)
        let entry = DeletionLog.Entry(id: deletion.id, fields: deletion.encodedFields)
        log.append(entry)
        if journal.isOn { journal.entries.append(entry) }
        announcements.append(deletion)
    }
}

// MARK: - Maintenance

extension ControlStore {
    /// Does a slice of what waits: time-outs, freeing, forgetting, trimming.
    ///
    /// A slice takes about 0.1 ms.
    ///
    /// - Returns: whether more waits.
    public mutating func maintain() -> Bool {
        let working = advanceJobs()
        let expiring = expireBatches(budget: 64)
        let releasing = releaseSlice()
        let freeing = freeSlice(budget: 32)
        let unreferencing = maintainReferences()
        let forgetting = tombstones.expire(
            before: now - tombstoneMilliseconds, budget: 256, memory.seeds)
        return working || expiring || releasing || freeing || unreferencing || forgetting
            || trimLog(budget: 256)
    }

    private mutating func trimLog(budget: Int) -> Bool {
        guard log.count > 0 else { return false }
        let last = log.lastTrimmedID
        let isMore = log.trim(upTo: acknowledgedByAll, countMax: logCountMax, budget: budget)
        if journal.isOn, log.lastTrimmedID != last { journal.hasHead = true }
        return isMore
    }

    /// Frees memory of the batches buried first, and sweeps some of their records from the estate.
    private mutating func freeSlice(budget: Int) -> Bool {
        var left = budget
        while left > 0, let oldest = remains.first {
            guard oldest.drop(budget: &left, &memory) else { return true }
            remains.removeFirst()
        }
        while left > 0, let batch = graveyard {
            left -= 2
            for chain in [\Batch.kept, \Batch.adopted] {
                for _ in 0..<64 where batch.pointee[keyPath: chain].head != none {
                    sweepStray(batch.pointee[keyPath: chain].head)
                }
                if batch.pointee[keyPath: chain].head != none { return true }
            }
            guard batch.pointee.region.drop(&graveyardPosition, budget: &left, &memory) else {
                return true
            }
            graveyardPosition = 0
            graveyard = batch.pointee.nextInGraveyard
            if graveyard == nil { graveyardEnd = nil }
            if let name = batch.pointee.name { memory.pool.give(name) }
            memory.pool.give(UnsafeMutableRawPointer(batch))
        }
        return isFreeing
    }
}
