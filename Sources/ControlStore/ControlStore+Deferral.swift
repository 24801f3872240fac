internal import Identifiers

/// A walk over the graph of batches: what it has seen, and how far it looked along each actor.
struct Traversal {
    /// What the batches that it has seen are marked with; marks of an earlier walk say nothing.
    var mark: UInt32 = 0
    var order: [UInt32] = []
    var actors: [RecordID: Int] = [:]
}

/// Deferral: an ended batch goes when no active batch depends on it, directly or over others that have
/// not gone yet. A parent waits for its children, as though they depended on it, and those that it takes
/// along wait for it too.
///
/// Every walk is linear in the batches, dependencies and runs that it meets: along an actor each run is
/// looked at once.
extension ControlStore {
    /// Batches that one step collects; more of them follow in slices.
    private static var collectCountPerStep: Int { 32 }

    /// A walk that has seen nothing.
    private mutating func newWalk() -> Traversal {
        if lastMark == .max {
            for slot in 0..<batches.slotCount { batches.batch(atSlot: slot)?.pointee.mark = 0 }
            lastMark = 0
        }
        lastMark += 1
        return Traversal(mark: lastMark)
    }

    /// Whether this is the first time that the walk comes to a batch.
    private func visit(_ batch: BatchPointer, _ walk: inout Traversal) -> Bool {
        guard batch.pointee.mark != walk.mark else { return false }
        batch.pointee.mark = walk.mark
        walk.order.append(batch.pointee.slot)
        return true
    }

    /// What a batch depends on: named objects, DEPEND, and whoever came before it on its actors.
    func dependsOn(_ slot: UInt32, _ walk: inout Traversal) -> [UInt32] {
        var found: [UInt32] = []
        addDependencies(of: slot, to: &found, &walk)
        return found
    }

    private func addDependencies(
        of slot: UInt32, to found: inout [UInt32], _ walk: inout Traversal
    ) {
        guard let links = batches.batch(atSlot: slot)?.pointee.links else { return }
        found.append(contentsOf: links.pointee.dependsOn.keys)
        for actor in links.pointee.actors {
            guard let runs = actors.chain(actor)?.runs else { continue }
            // What lies before was found already.
            let start = walk.actors[actor] ?? 0
            guard let end = runs[start...].lastIndex(where: { $0.slot == slot }), start < end
            else { continue }
            found.append(contentsOf: runs[start..<end].lazy.map(\.slot))
            walk.actors[actor] = end
        }
    }

    /// What depends on a batch: the other way round.
    func dependents(_ slot: UInt32, _ walk: inout Traversal) -> [UInt32] {
        var found: [UInt32] = []
        addDependents(of: slot, to: &found, &walk)
        return found
    }

    private func addDependents(
        of slot: UInt32, to found: inout [UInt32], _ walk: inout Traversal
    ) {
        guard let links = batches.batch(atSlot: slot)?.pointee.links else { return }
        found.append(contentsOf: links.pointee.dependents)
        for actor in links.pointee.actors {
            guard let runs = actors.chain(actor)?.runs else { continue }
            let end = walk.actors[actor] ?? runs.count
            guard let first = runs[..<end].firstIndex(where: { $0.slot == slot }), first + 1 < end
            else { continue }
            found.append(contentsOf: runs[(first + 1)..<end].lazy.map(\.slot))
            walk.actors[actor] = first + 1
        }
    }

    /// Whether it is active, or goes in slices with its descendants: what waits for it is seen to at the end.
    private func isActive(_ slot: UInt32) -> Bool {
        guard let batch = batches.batch(atSlot: slot) else { return false }
        return batch.pointee.status == .active || batch.pointee.isGoing
    }

    /// Whether an active batch depends on a batch directly.
    func isHeldDirectly(_ batch: BatchPointer) -> Bool {
        guard let links = batch.pointee.links else { return false }
        if links.pointee.dependents.contains(where: { isActive($0) }) { return true }
        let slot = batch.pointee.slot
        return links.pointee.actors.contains { actor in
            guard let runs = actors.chain(actor)?.runs,
                let last = runs.lastIndex(where: { $0.slot == slot || isActive($0.slot) })
            else { return false }
            return runs[last].slot != slot && runs[..<last].contains { $0.slot == slot }
        }
    }

    private func addChildren(
        of batch: BatchPointer, to found: inout [UInt32], where isWanted: (BatchPointer) -> Bool
    ) {
        var child = batch.pointee.firstChild
        while let next = batches.batch(atSlot: child) {
            if isWanted(next) { found.append(child) }
            child = next.pointee.nextSibling
        }
    }

    /// What waits for a batch that is not active: what it depends on, children that it takes along, its parent.
    private func addWaiting(
        for batch: BatchPointer, to found: inout [UInt32], _ walk: inout Traversal
    ) {
        addDependencies(of: batch.pointee.slot, to: &found, &walk)
        addChildren(of: batch, to: &found) { $0.pointee.goesWithParent }
        found.append(batch.pointee.parent)
    }

    /// What a batch waits for: its dependents, its children, and the parent that takes it along.
    private func addHolders(
        of batch: BatchPointer, to found: inout [UInt32], _ walk: inout Traversal
    ) {
        addDependents(of: batch.pointee.slot, to: &found, &walk)
        addChildren(of: batch, to: &found) { _ in true }
        if batch.pointee.goesWithParent { found.append(batch.pointee.parent) }
    }

    /// Batches that are not active and that wait for one of these, or are one: what may be free to go.
    private mutating func waiting(from seeds: some Sequence<UInt32>) -> [UInt32] {
        var walk = newWalk()
        var pending = Array(seeds)
        while let slot = pending.popLast() {
            guard let batch = batches.batch(atSlot: slot), batch != root, !isActive(slot),
                visit(batch, &walk)
            else { continue }
            addWaiting(for: batch, to: &pending, &walk)
        }
        return walk.order
    }

    /// Those of the batches, and of all that they are waited for by, that some active batch holds: they
    /// carry the walk's mark.
    private mutating func held(among slots: [UInt32]) -> Traversal {
        var backward = newWalk()
        var pending = slots
        var holding: [UInt32] = []
        var holders: [UInt32] = []
        while let slot = pending.popLast() {
            guard let batch = batches.batch(atSlot: slot), visit(batch, &backward) else { continue }
            holders.removeAll(keepingCapacity: true)
            addHolders(of: batch, to: &holders, &backward)
            for holder in holders {
                if isActive(holder) { holding.append(slot) } else { pending.append(holder) }
            }
        }
        // Along an actor the walk above looks at each run once, for whichever batch comes first. An active
        // batch holds all that came before it there: walk forward from it rather than from one of them.
        var next = holding
        var seen: Set<RecordID> = []
        for slot in backward.order {
            for actor in batches.batch(atSlot: slot)?.pointee.links?.pointee.actors ?? []
            where seen.insert(actor).inserted { next += heldAlong(actor) }
        }
        var forward = newWalk()
        while let slot = next.popLast() {
            guard let batch = batches.batch(atSlot: slot), !isActive(slot), visit(batch, &forward)
            else { continue }
            addWaiting(for: batch, to: &next, &forward)
        }
        return forward
    }

    /// Batches with tasks on an actor before the last active batch's.
    private func heldAlong(_ actor: RecordID) -> [UInt32] {
        guard let runs = actors.chain(actor)?.runs,
            let last = runs.lastIndex(where: { isActive($0.slot) })
        else { return [] }
        return runs[..<last].map(\.slot)
    }

    /// Collects the deferred batches that nobody holds any more, of those that waited for the given ones.
    mutating func release(_ seeds: some Sequence<UInt32>) {
        let waiting = waiting(from: seeds)
        let deferred = waiting.filter { batches.batch(atSlot: $0)?.pointee.status == .deferred }
        guard !deferred.isEmpty else { return }
        let held = held(among: deferred)
        let free = deferred.filter { batches.batch(atSlot: $0)?.pointee.mark != held.mark }
        // Children first; then the same order in every run, which a walk over sets has not.
        var depths: [UInt32: Int] = [:]
        let ordered = free.map { (slot: $0, depth: depth($0, &depths)) }
            .sorted { $0.depth != $1.depth ? $0.depth > $1.depth : $0.slot < $1.slot }
            .map(\.slot)
        for (position, slot) in ordered.enumerated() {
            let generation = batches.generation(ofSlot: slot)
            if position < Self.collectCountPerStep, releasing.isEmpty {
                collectDeferred(slot, generation)
            } else {
                releasing.append((slot, generation))
            }
        }
    }

    /// Ancestors of a batch; `known` remembers them, so that a long line is walked once.
    private func depth(_ slot: UInt32, _ known: inout [UInt32: Int]) -> Int {
        var line: [UInt32] = []
        var next = slot
        while known[next] == nil, next != root.pointee.slot,
            let batch = batches.batch(atSlot: next)
        {
            line.append(next)
            next = batch.pointee.parent
        }
        var depth = known[next] ?? 0
        for slot in line.reversed() {
            depth += 1
            known[slot] = depth
        }
        return depth
    }

    private mutating func collectDeferred(_ slot: UInt32, _ generation: UInt32) {
        // It may have been destroyed meanwhile.
        guard let batch = batches.batch(atSlot: slot, generation: generation) else { return }
        let parent = batches.batch(atSlot: batch.pointee.parent) ?? root
        _ = collectOne(batch, batch.pointee.reason, parent: parent, takesKept: false)
    }

    /// Collects some of the batches that are free to go; whether more wait.
    mutating func releaseSlice() -> Bool {
        guard !releasing.isEmpty else { return false }
        let count = min(releasing.count - releasedCount, Self.collectCountPerStep)
        for position in releasedCount..<releasedCount + count {
            collectDeferred(releasing[position].slot, releasing[position].generation)
        }
        releasedCount += count
        guard releasedCount == releasing.count else { return true }
        releasing = []
        releasedCount = 0
        return false
    }
}
