public import Identifiers

extension ControlStore {
    /// Makes a batch depend on another: END of the other waits while it is active.
    ///
    /// - Returns: whether it did not before, by this command.
    public mutating func addDependency(of id: BatchID, on other: BatchID) throws(StoreError) -> Bool
    {
        let batch = try batch(id)
        let target = try self.batch(other)
        guard batch != root else { throw .rootBatch }
        guard batch != target, !isAncestor(target, of: batch) else {
            throw .invalidDependency(id, on: other)
        }
        return depend(batch, on: target, .explicit)
    }

    /// The batches that a batch depends on, and those that depend on it; directly, smallest first.
    public mutating func dependencies(
        _ id: BatchID
    ) throws(StoreError) -> (dependsOn: [BatchID], dependents: [BatchID]) {
        let batch = try batch(id)
        var (forward, backward) = (Traversal(), Traversal())
        // The order on an actor knows nothing of families: an ancestor that came before is no dependency.
        let needed = others(dependsOn(batch.pointee.slot, &forward), than: batch).filter {
            !isAncestor($0, of: batch)
        }
        let needing = others(dependents(batch.pointee.slot, &backward), than: batch).filter {
            !isAncestor(batch, of: $0)
        }
        return (needed.map(\.pointee.id).sorted(), needing.map(\.pointee.id).sorted())
    }

    private func others(_ slots: [UInt32], than batch: BatchPointer) -> [BatchPointer] {
        Set(slots).compactMap { batches.batch(atSlot: $0) }.filter { $0 != batch }
    }

    func isAncestor(_ ancestor: BatchPointer, of batch: BatchPointer) -> Bool {
        var next = batches.batch(atSlot: batch.pointee.parent)
        while let parent = next {
            if parent == ancestor { return true }
            next = batches.batch(atSlot: parent.pointee.parent)
        }
        return false
    }

    /// Notes a dependency; none on the root, and none of the root.
    ///
    /// Nobody depends on himself or an ancestor. But whoever named an object of theirs depends on the
    /// one it moves to, so that is noted, too; reading leaves it out, and collecting them in their order
    /// makes it true anyway.
    ///
    /// - Returns: whether it is new.
    @discardableResult
    mutating func depend(
        _ batch: BatchPointer, on target: BatchPointer, _ kind: DependencyKinds
    ) -> Bool {
        guard batch != root, target != root else { return false }
        guard batch != target else {
            if kind == .object { noteOwnNamed(batch) }
            return false
        }
        let present = batch.pointee.links?.pointee.dependsOn[target.pointee.slot] ?? []
        guard !present.contains(kind) else { return false }
        guard kind == .object || !isAncestor(target, of: batch) else { return false }
        links(batch).pointee.dependsOn[target.pointee.slot, default: []].insert(kind)
        links(target).pointee.dependents.insert(batch.pointee.slot)
        if journal.isOn { journal.dependencies.append((batch.pointee.id, target.pointee.id)) }
        return true
    }

    private mutating func noteOwnNamed(_ batch: BatchPointer) {
        guard !batch.pointee.namesOwn else { return }
        batch.pointee.namesOwn = true
        journal.note(batch.pointee.id)
    }

    func links(_ batch: BatchPointer) -> UnsafeMutablePointer<Links> {
        if let links = batch.pointee.links { return links }
        let links = UnsafeMutablePointer<Links>.allocate(capacity: 1)
        links.initialize(to: Links())
        batch.pointee.links = links
        return links
    }

    /// Who owns an object, or would: a record that is not there yet belongs to the batch in its id.
    private mutating func prospectiveOwner(_ object: RecordID) -> BatchPointer? {
        locate(RecordKey(object, .object)).batch
    }

    /// Notes what a task of `owner` needs: the objects it names.
    mutating func dependOnArguments(
        _ owner: BatchPointer, count: Int, argument: (Int) -> RecordID
    ) {
        for position in 0..<count {
            guard let target = prospectiveOwner(argument(position)) else { continue }
            depend(owner, on: target, .object)
        }
    }

    /// Notes a task of `owner` as the last on its actor.
    ///
    /// - Returns: its sequence number, which its record keeps.
    mutating func appendToActor(_ actor: RecordID, _ owner: BatchPointer) -> UInt64 {
        let sequence = actors.nextSequence()
        // Nobody waits for the root, and the root waits for nobody.
        guard owner != root else { return sequence }
        let slot = owner.pointee.slot
        actors.update(actor) { $0.append(slot, sequence: sequence) }
        links(owner).pointee.actors.insert(actor)
        if journal.isOn { journal.runs.append((actor, owner.pointee.id, sequence)) }
        return sequence
    }

    /// Makes everybody who named an object of `old` depend on `new`, to whom one of its objects moved.
    mutating func objectsMoved(from old: BatchPointer, to new: BatchPointer) {
        guard old != root, new != root, old != new else { return }
        if old.pointee.namesOwn { depend(old, on: new, .object) }
        guard let links = old.pointee.links else { return }
        for slot in links.pointee.dependents {
            guard let dependant = batches.batch(atSlot: slot) else { continue }
            let kinds = dependant.pointee.links?.pointee.dependsOn[old.pointee.slot] ?? []
            if kinds.contains(.object) { depend(dependant, on: new, .object) }
        }
    }

    /// Later tasks of the actor no longer need what led to `task`, and `task` itself.
    public mutating func checkpoint(
        _ actor: RecordID, at task: RecordID
    ) throws(StoreError) {
        guard let (_, view) = self.task(task) else { throw .noTask(task) }
        guard view.actor == actor, let sequence = view.actorSequence else {
            throw .notOnActor(task, actor: actor)
        }
        let touched = actors.update(actor) { $0.cut(upTo: sequence) }
        if journal.isOn { journal.chains.append(actor) }
        let chain = actors.chain(actor)
        for slot in Set(touched) where chain?.contains(slot) != true {
            batches.batch(atSlot: slot)?.pointee.links?.pointee.actors.remove(actor)
        }
        release(Set(touched))
    }

    /// Takes a batch that is to go out of everybody's links.
    mutating func unlinkDependencies(_ batch: BatchPointer) {
        guard let links = batch.pointee.links else { return }
        let slot = batch.pointee.slot
        for target in links.pointee.dependsOn.keys {
            batches.batch(atSlot: target)?.pointee.links?.pointee.dependents.remove(slot)
        }
        for dependant in links.pointee.dependents {
            batches.batch(atSlot: dependant)?.pointee.links?.pointee.dependsOn[slot] = nil
        }
        for actor in links.pointee.actors { actors.update(actor) { $0.remove(slot) } }
        links.deinitialize(count: 1)
        links.deallocate()
        batch.pointee.links = nil
    }
}
