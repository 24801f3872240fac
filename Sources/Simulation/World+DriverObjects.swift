internal import Identifiers

/// What drivers do with objects.
extension World {
    private mutating func newObject(_ driver: Int) -> RecordID? {
        guard let batch = random.happens(4) ? .root : recentBatch(driver) else { return nil }
        // What some task returns, as often as not.
        var id = object(batch, 0)
        if random.happens(40), let task = random.pick(drivers[driver].tasks.suffix(5)) {
            id = RecordID(
                batch: task.batch, unique: task.unique, index: UInt32(random.count(1...2)))
            if drivers[driver].objects.contains(id) { return nil }
        } else {
            lastUnique += 1
            id.unique = lastUnique
        }
        drivers[driver].objects.append(id)
        return id
    }

    mutating func putNew(_ driver: Int) {
        guard let id = newObject(driver) else { return }
        put(id, at: random.count(0...nodes.count - 1))
    }

    /// Another node gets a copy of an object that nobody deletes.
    mutating func putCopy(_ driver: Int) {
        guard let id = random.pick(drivers[driver].objects), !model.mayGo.contains(id) else {
            return
        }
        put(id, at: random.count(0...nodes.count - 1))
    }

    private mutating func recentObjects(
        _ driver: Int, _ count: Int, leaveOut percent: Int
    ) -> [RecordID] {
        var ids = Array(drivers[driver].objects.suffix(count))
        ids.removeAll { _ in random.happens(percent) }
        return ids
    }

    mutating func keep(_ driver: Int) {
        guard var id = random.pick(drivers[driver].objects.suffix(10)) else { return }
        if random.happens(20), let new = newObject(driver) {
            // Named before it is put.
            id = new
            let node = random.count(0...nodes.count - 1)
            agenda.add(.lateWrite(id, node: node), at: now + random.number(1...3000))
        }
        let owner = random.happens(80) ? model.owner(of: id) ?? id.batch : id.batch
        if random.happens(30) { return say(driver, ["SREM", "GC:\(owner)", "OBJECT:\(id)"]) }
        say(driver, ["GCS.BATCH", "KEEP", "\(owner)", "\(id)"])
    }

    mutating func move(_ driver: Int) {
        let ids = recentObjects(driver, 12, leaveOut: 70).map { "\($0)" }
        guard let batch = anyBatch() else { return }
        if random.happens(50) {
            guard !ids.isEmpty else { return }
            return say(driver, ["GCS.BATCH", "TRANSFER", "\(batch)"] + ids)
        }
        var members = ids.map { "OBJECT:\($0)" }
        if random.happens(40), let task = random.pick(drivers[driver].tasks.suffix(10)),
            !drivers[driver].turns.contains(where: { $0.task == task })
        {
            members.append("TASK:\(task)")
        }
        if !members.isEmpty { say(driver, ["SADD", "GC:\(batch)"] + members) }
    }

    mutating func free(_ driver: Int) {
        let ids = recentObjects(driver, 30, leaveOut: 90).map { "\($0)" }
        guard let first = ids.first else { return }
        switch random.count(0...9) {
        case 0: say(driver, ["DEL", "OBJECT:\(first)"])
        case 1, 2, 3: say(driver, ["GCS.OBJECT", "FREE", "TASKS"] + ids)
        default: say(driver, ["GCS.OBJECT", "FREE"] + ids)
        }
    }

    mutating func pin(_ driver: Int) {
        if random.happens(50), let id = random.pick(drivers[driver].pinned) {
            drivers[driver].pinned.removeAll { $0 == id }
            return say(driver, ["GCS.OBJECT", "UNPIN", "\(id)"])
        }
        let ids = recentObjects(driver, 10, leaveOut: 80)
        guard !ids.isEmpty else { return }
        drivers[driver].pinned += ids
        say(driver, ["GCS.OBJECT", "PIN"] + ids.map { "\($0)" })
    }

    mutating func refer(_ driver: Int) {
        guard plan.hasReferences else { return putNew(driver) }
        switch random.count(0...19) {
        case 0..<11: addReference(driver)
        case 11..<18:
            guard let words = random.pick(drivers[driver].references) else { return }
            drivers[driver].references.removeAll { $0 == words }
            say(driver, ["GCS.REF", "REMOVE"] + words)
        default:
            let process = random.happens(80) ? ["\(random.count(1...3))"] : []
            say(driver, ["GCS.REF", "CLEAR", nodeName()] + process)
        }
    }

    private mutating func nodeName() -> String {
        random.happens(20) ? Self.strangeNode : nodes[random.count(0...nodes.count - 1)].name
    }

    private mutating func addReference(_ driver: Int) {
        guard let id = random.pick(drivers[driver].objects.suffix(20)) else { return }
        let types = [
            "LOCAL_REFERENCE", "PINNED_IN_MEMORY", "USED_BY_PENDING_TASK", "CAPTURED_IN_OBJECT",
            "ACTOR_HANDLE",
        ]
        let type = random.pick(types) ?? "LOCAL_REFERENCE"
        let words = [nodeName(), "\(random.count(1...3))", type, "\(id)"]
        drivers[driver].references.append(words)
        say(driver, ["GCS.REF", "ADD"] + words + (random.happens(30) ? ["SITE", "a.py:1"] : []))
    }
}
