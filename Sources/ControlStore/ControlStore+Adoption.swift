public import Identifiers

extension ControlStore {
    /// Makes a batch the owner of records, unkept: SADD of its key; an object may have no record yet.
    ///
    /// - Returns: how many changed their owner.
    public mutating func adopt(
        _ members: [(id: RecordID, kind: RecordKind)], into id: BatchID
    ) throws(StoreError) -> Int {
        let batch = try batch(id)
        for (id, kind) in members {
            let site = try locateForWriting(RecordKey(id, kind))
            if kind == .task, site.place == nil { throw .noTask(id) }
        }
        var moved = 0
        var owners: Set<BatchPointer> = []
        for (id, kind) in members {
            let key = RecordKey(id, kind)
            let site = try locateForWriting(key)
            if site.batch != batch || site.place == nil { moved += 1 }
            if kind == .object, let owner = site.batch, owner != batch { owners.insert(owner) }
            if kind == .task, site.batch != batch { takeDependenciesAlong(id, to: batch) }
            give(key, at: site, to: batch)
            if kind == .task, let owner = site.batch, owner != batch {
                moveNeeds(of: id, from: owner, to: batch)
            }
        }
        for owner in owners { objectsMoved(from: owner, to: batch) }
        return moved
    }

    /// Makes the new owner of a task depend on what the task needs, at its place on its actor too.
    private mutating func takeDependenciesAlong(_ task: RecordID, to batch: BatchPointer) {
        guard let (_, view) = self.task(task), batch != root else { return }
        let arguments = (0..<view.argumentCount).map { view.argument($0) }
        if let actor = view.actor, let sequence = view.actorSequence {
            let slot = batch.pointee.slot
            let isThere = actors.update(actor) { chain in
                chain.move(sequence, to: slot)
                return chain.contains(slot)
            }
            if isThere { links(batch).pointee.actors.insert(actor) }
            if journal.isOn { journal.chains.append(actor) }
        }
        dependOnArguments(batch, count: arguments.count) { arguments[$0] }
    }

    /// Pins objects: they stay, whatever ends, until they are unpinned; one may have no record yet.
    ///
    /// - Returns: how many were not pinned before.
    public mutating func pin(_ ids: [RecordID]) throws(StoreError) -> Int {
        for id in ids { _ = try locateForWriting(RecordKey(id, .object)) }
        var changed = 0
        for id in ids {
            let key = RecordKey(id, .object)
            let site = try locateForWriting(key)
            if let payload = payload(site), ObjectRecord(payload).isPinned { continue }
            // In the estate the owner finds it when it ends, without looking through its region.
            let isKept = payload(site).map { ObjectRecord($0).isKept } ?? false
            moveToEstate(key, from: site, to: site.batch ?? root, isKept: isKept)
            if let payload = payload(locate(key)) { ObjectRecord(payload).isPinned = true }
            changed += 1
        }
        return changed
    }

    /// Lifts pins; an object that only its pin kept is freed everywhere.
    ///
    /// - Returns: how many were pinned.
    public mutating func unpin(_ ids: [RecordID]) -> Int {
        var changed = 0
        var orphans: [RecordID] = []
        for id in ids {
            guard let payload = payload(locate(RecordKey(id, .object))) else { continue }
            let record = ObjectRecord(payload)
            guard record.isPinned else { continue }
            record.isPinned = false
            journal.note(RecordKey(id, .object))
            changed += 1
            let isUnreferenced =
                isCountingReferences && record.isUnreferenced && !record.isKept
                && referenceCount(of: id) == 0
            if record.isOrphan || isUnreferenced { orphans.append(id) }
        }
        if !orphans.isEmpty { _ = freeObjects(orphans) }
        return changed
    }
}
