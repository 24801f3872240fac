import ControlStore
import Identifiers

extension Model {
    func isAncestor(_ ancestor: BatchID, of id: BatchID) -> Bool {
        var next = batches[id]?.parent
        while let parent = next {
            if parent == ancestor { return true }
            next = batches[parent]?.parent
        }
        return false
    }

    private func isBatch(_ id: BatchID) -> Bool { id != .root && batches[id] != nil }

    mutating func nameObject(_ object: RecordID, by id: BatchID) {
        let owner = objects[object]?.owner ?? (batches[object.batch] != nil ? object.batch : .root)
        if isBatch(owner) { batches[id]?.named.insert(owner) }
    }

    mutating func objectsMoved(from old: BatchID, to new: BatchID) {
        guard isBatch(new) else { return }
        for id in batches.keys where batches[id]?.named.contains(old) == true {
            batches[id]?.named.insert(new)
        }
    }

    mutating func depend(_ id: BatchID, on other: BatchID) throws(StoreError) -> Bool {
        try known(id)
        try known(other)
        if id == .root { throw .rootBatch }
        if id == other || other == .root || isAncestor(other, of: id) {
            throw .invalidDependency(id, on: other)
        }
        return batches[id]?.explicit.insert(other).inserted ?? false
    }

    mutating func checkpoint(_ actor: RecordID, at id: RecordID) throws(StoreError) {
        guard let task = tasks[id] else { throw .noTask(id) }
        guard task.actor == actor else { throw .notOnActor(id, actor: actor) }
        actors[actor]?.removeAll { $0.sequence <= task.sequence }
        checkpoints[actor] = max(checkpoints[actor] ?? 0, task.sequence)
        forgetIdleActors()
        releaseAll()
    }

    /// What a batch depends on, directly.
    func dependsOn(_ id: BatchID) -> Set<BatchID> {
        var found = (batches[id]?.named ?? []).union(batches[id]?.explicit ?? [])
        for entries in actors.values {
            guard let last = entries.lastIndex(where: { $0.batch == id }) else { continue }
            found.formUnion(entries[..<last].map(\.batch))
        }
        found.remove(id)
        return found
    }

    /// Dependencies as INFO tells them.
    func namedDependencies(_ id: BatchID) -> Set<BatchID> {
        dependsOn(id).filter { !isAncestor($0, of: id) }
    }

    /// A checkpoint is remembered as long as any task is behind it.
    mutating func forgetIdleActors() {
        for (actor, entries) in actors where entries.isEmpty { checkpoints[actor] = nil }
    }

    /// Whether an active batch needs it, over batches that have not gone and over its children.
    private func isHeld(_ id: BatchID) -> Bool {
        var seen: Set<BatchID> = [id]
        var pending = [id]
        while let next = pending.popLast() {
            for (other, batch) in batches where !seen.contains(other) {
                let isTaking =
                    batches[next]?.goesWithParent == true && batches[next]?.parent == other
                guard dependsOn(other).contains(next) || batch.parent == next || isTaking else {
                    continue
                }
                if batch.status == .active { return true }
                seen.insert(other)
                pending.append(other)
            }
        }
        return false
    }

    /// Collects every deferred batch that nobody holds, children first.
    mutating func releaseAll() {
        let free = batches.keys.filter { batches[$0]?.status == .deferred && !isHeld($0) }
        func depth(_ id: BatchID) -> Int { batches[id].map { 1 + depth($0.parent) } ?? 0 }
        for id in free.map({ ($0, depth($0)) }).sorted(by: { $0.1 > $1.1 }).map(\.0) {
            _ = collectOne(id, takesKept: false)
        }
    }

    mutating func pin(_ ids: [RecordID]) throws(StoreError) -> Int {
        for id in ids where objects[id] == nil { _ = try home(id) }
        var count = 0
        for id in ids {
            if objects[id] == nil { objects[id] = Object(owner: try home(id)) }
            if objects[id]?.isPinned == false { count += 1 }
            objects[id]?.isPinned = true
        }
        noteOutputs(ids)
        return count
    }

    mutating func unpin(_ id: RecordID) -> Int {
        guard objects[id]?.isPinned == true else { return 0 }
        objects[id]?.isPinned = false
        if objects[id]?.isOrphan == true { objects[id] = nil }
        return 1
    }

    mutating func adoptTask(_ id: RecordID, into batch: BatchID) throws(StoreError) -> Int {
        try known(batch)
        guard let task = tasks[id] else {
            _ = try home(id)
            throw .noTask(id)
        }
        guard task.owner != batch else { return 0 }
        tasks[id]?.owner = batch
        guard batch != .root else { return 1 }
        if let actor = task.actor, task.sequence > checkpoints[actor] ?? 0 {
            var entries = actors[actor] ?? []
            let place = entries.firstIndex { $0.sequence >= task.sequence } ?? entries.count
            let present = place < entries.count ? entries[place] : nil
            let isExact = present?.sequence == task.sequence
            if !isExact || present?.batch != batch {
                entries.insert((task.sequence, batch), at: isExact ? place + 1 : place)
            }
            actors[actor] = entries
        }
        for argument in task.arguments { nameObject(argument, by: batch) }
        return 1
    }
}
