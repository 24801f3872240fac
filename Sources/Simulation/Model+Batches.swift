internal import Identifiers

/// How batches end.
extension Model {
    /// A batch and its descendants, children before parents.
    func tree(_ id: BatchID) -> [BatchID] {
        let children = batches.filter { $0.value.parent == id }.keys.sorted()
        return children.flatMap { tree($0) } + [id]
    }

    func isAncestor(_ ancestor: BatchID, of id: BatchID) -> Bool {
        var next = batches[id]?.parent
        while let parent = next {
            if parent == ancestor { return true }
            next = batches[parent]?.parent
        }
        return false
    }

    /// Ends a batch; its status afterwards, `nil` when it was collected.
    mutating func end(_ id: BatchID, isNoGC: Bool) -> Status? {
        if batches[id]?.status == .deferred { return .deferred }
        let isMarking = isNoGC || batches[id]?.isNoCleanup == true
        for member in tree(id).reversed() {
            guard var batch = batches[member], batch.status != .deferred else { continue }
            if !isMarking {
                // What a batch ends that leaves its records is done as well, and waits with it.
                let isTaken =
                    batch.status == .done || batch.isNoCleanup
                    || batches[batch.parent]?.goesWithParent == true
                batch.goesWithParent = member != id && isTaken
                batch.status = .deferred
            } else if batch.status == .active {
                batch.status = .done
            }
            batch.deadline = 0
            batches[member] = batch
        }
        releaseAll()
        return isMarking ? .done : batches[id]?.status
    }

    /// Collects a batch and its descendants, whoever needs them; how many records went.
    mutating func collect(_ top: BatchID, takesKept: Bool) -> Int {
        var released = 0
        for id in tree(top) { released += collectOne(id, takesKept: takesKept) }
        releaseAll()
        return released
    }

    private mutating func collectOne(_ id: BatchID, takesKept: Bool) -> Int {
        let parent = batches[id]?.parent ?? .root
        let owned = objects.filter { owner(of: $0) == id }
        if !takesKept {
            let kept = owned.filter { records[$0]?.isKept == true }
            if !kept.isEmpty { objectsMoved(from: id, to: parent) }
            for object in kept { give(object, to: parent) }
            for object in owned where records[object]?.isPinned == true && !kept.contains(object) {
                give(object, to: .root)
                records[object]?.isOrphan = true
            }
        }
        let gone = owned.filter { owner(of: $0) == id }
        let goneTasks = tasks.filter { $0.value.owner == id }.keys
        let count = gone.count { records[$0] != nil } + goneTasks.count
        for object in gone { condemn(object) }
        for task in goneTasks { tasks[task] = nil }
        bury(id)
        for other in batches.keys {
            batches[other]?.named.remove(id)
            batches[other]?.explicit.remove(id)
        }
        for actor in actors.keys { actors[actor]?.removeAll { $0.batch == id } }
        return count
    }

    /// An object has a new owner, who has not kept it.
    mutating func give(_ object: RecordID, to owner: BatchID) {
        record(object)
        records[object]?.owner = owner
        records[object]?.isKept = false
        records[object]?.isOrphan = false
    }

    /// Ends the batches whose time has passed.
    mutating func expire(at now: Int64) {
        let due = batches.filter { (1...now).contains($0.value.deadline) }
            .sorted { ($0.value.deadline, $0.key) < ($1.value.deadline, $1.key) }
        for (id, _) in due where batches[id].map({ $0.deadline != 0 }) == true {
            _ = end(id, isNoGC: false)
        }
    }
}

// MARK: - Dependencies

extension Model {
    private func mayDepend(_ id: BatchID, on other: BatchID) -> Bool {
        id != other && batches[id] != nil && batches[other] != nil && !isAncestor(other, of: id)
    }

    /// A task of a batch named an object; its own one, or one of an ancestor, may move to somebody else.
    mutating func name(_ object: RecordID, by id: BatchID) {
        guard let owner = owner(of: object), batches[owner] != nil else { return }
        batches[id]?.named.insert(owner)
    }

    /// Objects of one batch belong to another from now on.
    mutating func objectsMoved(from old: BatchID, to new: BatchID) {
        guard batches[new] != nil else { return }
        for id in batches.keys where batches[id]?.named.contains(old) == true {
            batches[id]?.named.insert(new)
        }
    }

    /// What each batch depends on, directly.
    func dependencies() -> [BatchID: Set<BatchID>] {
        var found = batches.mapValues { $0.named.union($0.explicit) }
        for turns in actors.values {
            var before: Set<BatchID> = []
            var isLast: [BatchID: Int] = [:]
            for (position, turn) in turns.enumerated() { isLast[turn.batch] = position }
            for (position, turn) in turns.enumerated() {
                if isLast[turn.batch] == position { found[turn.batch]?.formUnion(before) }
                before.insert(turn.batch)
            }
        }
        for id in found.keys {
            found[id] = found[id]?.filter { mayDepend(id, on: $0) }
        }
        return found
    }

    /// Collects every deferred batch that no active one needs, over whatever has not gone yet.
    mutating func releaseAll() {
        guard batches.values.contains(where: { $0.status == .deferred }) else { return }
        let needs = dependencies()
        var needed: Set<BatchID> = []
        var pending = batches.filter { $0.value.status == .active }.keys.sorted()
        while let id = pending.popLast() {
            guard let batch = batches[id] else { continue }
            // A parent goes after its children; those that it takes along go after it is free to.
            let taken = batches.filter { $0.value.parent == id && $0.value.goesWithParent }.keys
            for next in needs[id, default: []].union(taken).union([batch.parent])
            where needed.insert(next).inserted { pending.append(next) }
        }
        let free = batches.keys.filter { batches[$0]?.status == .deferred && !needed.contains($0) }
        func depth(_ id: BatchID) -> Int { batches[id].map { 1 + depth($0.parent) } ?? 0 }
        for (id, _) in free.map({ ($0, depth($0)) }).sorted(by: { ($0.1, $0.0) > ($1.1, $1.0) }) {
            _ = collectOne(id, takesKept: false)
        }
    }
}
