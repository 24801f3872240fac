internal import Identifiers

/// What happens to objects by hand, and to those who hold them.
extension Model {
    mutating func keep(_ batch: BatchID, _ ids: [RecordID]) -> Expectation {
        guard batch != .root else { return .error("ERR") }
        if let refusal = refusal(batch) { return refusal }
        for id in ids {
            guard let owner = owner(of: id) else { return .error("BATCHENDED") }
            if owner != batch { return .error("ERR") }
        }
        let new = Set(ids).filter { records[$0]?.isKept != true }
        for id in new {
            record(id)
            records[id]?.isKept = true
        }
        return .number(new.count)
    }

    /// TRANSFER, and SADD of objects and tasks.
    mutating func move(_ ids: [RecordID], _ taskIDs: [RecordID], to batch: BatchID) -> Expectation {
        if let refusal = refusal(batch) { return refusal }
        guard ids.allSatisfy({ owner(of: $0) != nil }) else { return .error("BATCHENDED") }
        for id in taskIDs where tasks[id] == nil {
            return .error(home(of: id) == nil ? "BATCHENDED" : "NOTASK")
        }
        var moved = 0
        var owners: Set<BatchID> = []
        for id in ids {
            let old = owner(of: id) ?? .root
            if old != batch || records[id] == nil { moved += 1 }
            if old != batch { owners.insert(old) }
            give(id, to: batch)
        }
        // One that is there already does not move, and takes nothing along.
        for id in taskIDs where tasks[id]?.owner != batch {
            moved += 1
            tasks[id]?.owner = batch
            for argument in tasks[id]?.arguments ?? [] { name(argument, by: batch) }
        }
        for owner in owners { objectsMoved(from: owner, to: batch) }
        return .number(moved)
    }

    mutating func free(_ ids: [RecordID], takesTasks: Bool) -> Expectation {
        var freed = 0
        for id in ids where records[id].map({ !$0.isPinned }) == true {
            condemn(id)
            freed += 1
        }
        // What is pinned is there still, and so is the task that could make it anew.
        if takesTasks { for id in ids where records[id] == nil { tasks[id.task] = nil } }
        return .number(freed)
    }

    mutating func pin(_ ids: [RecordID]) -> Expectation {
        guard ids.allSatisfy({ owner(of: $0) != nil }) else { return .error("BATCHENDED") }
        var pinned = 0
        for id in ids where records[id]?.isPinned != true {
            record(id)
            records[id]?.isPinned = true
            pinned += 1
        }
        return .number(pinned)
    }

    mutating func unpin(_ ids: [RecordID]) -> Expectation {
        var unpinned = 0
        for id in ids where records[id]?.isPinned == true {
            records[id]?.isPinned = false
            unpinned += 1
            guard let object = records[id] else { continue }
            let isUnreferenced =
                isCounting && object.isUnreferenced && !object.isKept
                && !references.contains { $0.object == id }
            if object.isOrphan || isUnreferenced { condemn(id) }
        }
        return .number(unpinned)
    }

    mutating func addLocation(_ id: RecordID, _ node: String) -> Expectation {
        guard owner(of: id) != nil else { return .error("BATCHENDED") }
        record(id)
        knownNodes.insert(node)
        return .number(records[id]?.nodes.insert(node).inserted == true ? 1 : 0)
    }

    mutating func removeLocation(_ id: RecordID, _ node: String) -> Expectation {
        .number(records[id]?.nodes.remove(node) != nil ? 1 : 0)
    }
}

// MARK: - References

extension Model {
    mutating func refer(_ words: [String], at now: Int64) -> Expectation {
        let reference = Reference(
            node: words[2], process: words[3], type: words[4],
            object: RecordID(hex: words[5]) ?? RecordID(batch: .root, unique: 0, index: 0))
        if words[1] == "REMOVE" { return .number(drop { $0 == reference }) }
        guard reference.type == "PINNED_IN_MEMORY" || owner(of: reference.object) != nil else {
            return .error("BATCHENDED")
        }
        knownNodes.insert(reference.node)
        lastReferred[reference.node] = now
        if reference.type != "PINNED_IN_MEMORY" { claimed.insert(reference.object) }
        return .number(references.insert(reference).inserted ? 1 : 0)
    }

    /// Forgets what a node holds, or one process of it.
    mutating func clear(_ node: String, _ process: String?) -> Int {
        drop { $0.node == node && (process == nil || $0.process == process) }
    }

    /// Forgets references; frees the objects that had some of them and have none left.
    private mutating func drop(_ isGone: (Reference) -> Bool) -> Int {
        let gone = references.filter(isGone)
        references.subtract(gone)
        guard isCounting else { return gone.count }
        let held = Set(references.map(\.object))
        for id in Set(gone.map(\.object)).subtracting(held) {
            guard claimed.remove(id) != nil, let object = records[id] else { continue }
            if object.isKept || object.isPinned {
                records[id]?.isUnreferenced = true
            } else {
                condemn(id)
            }
        }
        return gone.count
    }
}

// MARK: - Nodes

extension Model {
    mutating func register(_ node: String, at now: Int64) {
        lastSeen[node] = now
        knownNodes.insert(node)
        forgetLocations(node)
        _ = drop { $0.node == node && $0.type == "PINNED_IN_MEMORY" }
    }

    /// A heartbeat or an acknowledgement.
    mutating func hear(from node: String, at now: Int64) -> Expectation {
        guard lastSeen[node] != nil else { return .error("NONODE") }
        lastSeen[node] = now
        return .status("OK")
    }

    mutating func remove(_ node: String) -> Expectation {
        let wasKnown = knownNodes.remove(node) != nil
        lastSeen[node] = nil
        forgetLocations(node)
        _ = clear(node, nil)
        return .number(wasKnown ? 1 : 0)
    }

    private mutating func forgetLocations(_ node: String) {
        for id in records.keys { records[id]?.nodes.remove(node) }
    }
}
