internal import Identifiers

/// A DESTROY or DEL of a batch under way: descendants go before their parents.
struct Collecting {
    let reason: CollectReason
    /// The batch that goes last.
    let top: BatchHandle
    /// Where the walk is, at it or below.
    var current: BatchHandle
    /// Tasks and objects released so far.
    var released = 0
    /// Batches that those collected depended on, which may be free to go in the end: slot and generation.
    var waited: [UInt32: UInt32] = [:]
}

/// A batch, or that it has gone.
struct BatchHandle {
    let slot: UInt32
    let generation: UInt32
}

extension ControlStore {
    /// Batches that one step walks over.
    private static var collectingCountPerStep: Int { 32 }

    private func handle(_ batch: BatchPointer) -> BatchHandle {
        let slot = batch.pointee.slot
        return BatchHandle(slot: slot, generation: batches.generation(ofSlot: slot))
    }

    private func batch(_ handle: BatchHandle) -> BatchPointer? {
        batches.batch(atSlot: handle.slot, generation: handle.generation)
    }

    /// Collects a batch after its descendants.
    mutating func collect(_ top: BatchPointer, _ reason: CollectReason) -> (count: Int, rest: Job?)
    {
        var collecting = Collecting(reason: reason, top: handle(top), current: handle(top))
        if let parent = batches.batch(atSlot: top.pointee.parent) {
            collecting.waited[parent.pointee.slot] = handle(parent).generation
        }
        if advance(&collecting) { return (collecting.released, nil) }
        markGoing(top, reason)
        let job = Job(.collect(collecting))
        jobs.append(job)
        return (0, job)
    }

    /// Takes a batch up again whose descendants had gone in part when the journal ended.
    mutating func resume(_ batch: BatchPointer) { _ = collect(batch, batch.pointee.reason) }

    /// Notes that a batch goes: it takes no children any more, and a journal that ends here tells it.
    private mutating func markGoing(_ batch: BatchPointer, _ reason: CollectReason) {
        guard !batch.pointee.isGoing || reason == .destroy else { return }
        setDeadline(batch, 0)
        if batch.pointee.status == .active { batch.pointee.endedAt = now }
        batch.pointee.status = .deferred
        batch.pointee.reason = reason
        journal.note(batch.pointee.id)
    }

    /// Does a step; whether it was the last.
    mutating func advance(_ collecting: inout Collecting) -> Bool {
        for _ in 0..<Self.collectingCountPerStep {
            guard let top = batch(collecting.top) else { return finish(collecting) }
            // What was collected meanwhile is gone with its descendants.
            let current = batch(collecting.current) ?? top
            if let child = batches.batch(atSlot: current.pointee.firstChild) {
                collecting.current = handle(child)
                continue
            }
            let parent = batches.batch(atSlot: current.pointee.parent) ?? root
            let isTop = current == top
            var walk = Traversal()
            for slot in dependsOn(current.pointee.slot, &walk) {
                collecting.waited[slot] = batches.generation(ofSlot: slot)
            }
            collecting.released += collectOne(
                current, isTop ? collecting.reason : .parent, parent: parent,
                takesKept: collecting.reason == .destroy)
            if isTop { return finish(collecting) }
            collecting.current = handle(parent)
        }
        return false
    }

    private mutating func finish(_ collecting: Collecting) -> Bool {
        let waited = collecting.waited.filter { slot, generation in
            batches.batch(atSlot: slot, generation: generation) != nil
        }
        release(waited.keys)
        return true
    }
}
