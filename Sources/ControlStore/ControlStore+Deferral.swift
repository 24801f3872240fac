internal import Identifiers

/// A walk over the graph of batches: what it has seen, and how far it looked along each actor.
struct Traversal {
    var seen: Set<UInt32> = []
    var order: [UInt32] = []
    var actors: [RecordID: Int] = [:]

    /// Whether this is the first time.
    mutating func visit(_ slot: UInt32) -> Bool {
        guard seen.insert(slot).inserted else { return false }
        order.append(slot)
        return true
    }
}

/// Deferral: an ended batch goes when no active batch depends on it, directly or over others that have
/// not gone yet. A parent waits for its children, as though they depended on it, and those that it takes
/// along wait for it too.
///
/// Every walk is linear in the batches, dependencies and runs that it meets: along an actor each run is
/// looked at once.
extension ControlStore {
    /// Batches that one step collects; more of them follow in slices.
    private static var collectCountPerStep: Int { 64 }

    /// What a batch depends on: named objects, DEPEND, and whoever came before it on its actors.
    func dependsOn(_ slot: UInt32, _ walk: inout Traversal) -> [UInt32] {
        guard let links = batches.batch(atSlot: slot)?.pointee.links?.pointee else { return [] }
        var found = Array(links.dependsOn.keys)
        for actor in links.actors {
            guard let runs = actors.chain(actor)?.runs else { continue }
            let end = runs.lastIndex { $0.slot == slot } ?? 0
            let start = walk.actors[actor] ?? 0
            guard start < end else { continue }
            found += runs[start..<end].map(\.slot)
            walk.actors[actor] = end
        }
        return found
    }

    /// What depends on a batch: the other way round.
    func dependents(_ slot: UInt32, _ walk: inout Traversal) -> [UInt32] {
        guard let links = batches.batch(atSlot: slot)?.pointee.links?.pointee else { return [] }
        var found = Array(links.dependents)
        for actor in links.actors {
            guard let runs = actors.chain(actor)?.runs else { continue }
            let start = (runs.firstIndex { $0.slot == slot } ?? runs.count) + 1
            let end = walk.actors[actor] ?? runs.count
            guard start < end else { continue }
            found += runs[start..<end].map(\.slot)
            walk.actors[actor] = start
        }
        return found
    }

    private func isActive(_ slot: UInt32) -> Bool {
        batches.batch(atSlot: slot)?.pointee.status == .active
    }

    private func children(_ slot: UInt32) -> [UInt32] {
        var found: [UInt32] = []
        var child = batches.batch(atSlot: slot)?.pointee.firstChild ?? none
        while let batch = batches.batch(atSlot: child) {
            found.append(child)
            child = batch.pointee.nextSibling
        }
        return found
    }

    /// Children that wait for their parent.
    private func takenAlong(_ slot: UInt32) -> [UInt32] {
        children(slot).filter { batches.batch(atSlot: $0)?.pointee.goesWithParent == true }
    }

    /// The parent, if the batch waits for it.
    private func takingParent(_ slot: UInt32) -> [UInt32] {
        guard let batch = batches.batch(atSlot: slot), batch.pointee.goesWithParent else {
            return []
        }
        return [batch.pointee.parent]
    }

    /// Batches that are not active and that wait for one of these, or are one: what may be free to go.
    private func waiting(from seeds: some Sequence<UInt32>) -> [UInt32] {
        var walk = Traversal()
        var pending = Array(seeds)
        while let slot = pending.popLast() {
            guard slot != root.pointee.slot, let batch = batches.batch(atSlot: slot),
                !isActive(slot),
                walk.visit(slot)
            else { continue }
            pending += dependsOn(slot, &walk) + takenAlong(slot)
            pending.append(batch.pointee.parent)
        }
        return walk.order
    }

    /// Those of the batches, and of all that they are waited for by, that some active batch holds.
    private func held(among slots: [UInt32]) -> Set<UInt32> {
        var backward = Traversal()
        var pending = slots
        var holding: [UInt32] = []
        while let slot = pending.popLast() {
            guard backward.visit(slot) else { continue }
            for dependant in dependents(slot, &backward) + children(slot) + takingParent(slot) {
                if isActive(dependant) { holding.append(slot) } else { pending.append(dependant) }
            }
        }
        // Along an actor the walk above looks at each run once, for whichever batch comes first. An active
        // batch holds all that came before it there: walk forward from it rather than from one of them.
        var forward = Traversal()
        var next = holding
        var seen: Set<RecordID> = []
        for slot in backward.order {
            for actor in batches.batch(atSlot: slot)?.pointee.links?.pointee.actors ?? []
            where seen.insert(actor).inserted { next += heldAlong(actor) }
        }
        while let slot = next.popLast() {
            guard let batch = batches.batch(atSlot: slot), !isActive(slot), forward.visit(slot)
            else {
                continue
            }
            next += dependsOn(slot, &forward) + takenAlong(slot)
            next.append(batch.pointee.parent)
        }
        return forward.seen
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
        let free = deferred.filter { !held.contains($0) }
        // Children first; then the same order in every run, which a walk over sets has not.
        let ordered = free.map { (slot: $0, depth: depth($0)) }
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

    private func depth(_ slot: UInt32) -> Int {
        var depth = 0
        var next = batches.batch(atSlot: slot)
        while let batch = next, batch != root {
            depth += 1
            next = batches.batch(atSlot: batch.pointee.parent)
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
