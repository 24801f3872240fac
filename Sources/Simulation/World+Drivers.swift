internal import Identifiers

/// What drivers do: anything, at any time.
extension World {
    mutating func act(_ driver: Int) {
        guard !isHealed else { return endBatches(driver) }
        agenda.add(.driverActs(driver), at: now + random.number(1...plan.actionGapMax))
        switch random.count(0...99) {
        case 0..<12: startBatch(driver)
        case 12..<55: putNew(driver)
        case 55..<60: putCopy(driver)
        case 60..<66: addTask(driver)
        case 66..<74: keep(driver)
        case 74..<80: transfer(driver)
        case 80..<87: free(driver)
        case 87..<97: end(driver)
        default: expire(driver)
        }
    }

    private mutating func say(_ driver: Int, _ words: [String]) {
        if let link = drivers[driver].link { send(words, on: link) }
    }

    private mutating func startBatch(_ driver: Int) {
        var id = BatchID(rawValue: lastBatch + 1)
        // Again: the server may have forgotten it.
        if random.happens(15), let old = random.pick(drivers[driver].batches) {
            id = old
        } else {
            lastBatch += 1
            drivers[driver].batches.append(id)
        }
        var words = ["GCS.BATCH", "START", "ID", "\(id)"]
        if random.happens(35), let parent = recentBatch(driver), parent != id {
            words += ["PARENT", "\(parent)"]
        }
        if random.happens(15) { words += ["TIMEOUT", "\(random.number(1...20))"] }
        if random.happens(5) { words.append("NOCLEANUP") }
        say(driver, words)
    }

    /// Mostly one of the last few, which may have ended all the same.
    private mutating func recentBatch(_ driver: Int) -> BatchID? {
        let batches = drivers[driver].batches
        return random.pick(random.happens(85) ? Array(batches.suffix(3)) : batches)
    }

    private mutating func newObject(_ driver: Int) -> RecordID? {
        guard let batch = random.happens(4) ? .root : recentBatch(driver) else { return nil }
        lastUnique += 1
        let id = RecordID(batch: batch, unique: lastUnique, index: 1)
        drivers[driver].objects.append(id)
        return id
    }

    private mutating func putNew(_ driver: Int) {
        guard let id = newObject(driver) else { return }
        put(id, at: random.count(0...nodes.count - 1))
    }

    /// Another node gets a copy of an object that nobody deletes.
    private mutating func putCopy(_ driver: Int) {
        guard let id = random.pick(drivers[driver].objects), !model.mayGo.contains(id) else {
            return
        }
        put(id, at: random.count(0...nodes.count - 1))
    }

    private mutating func addTask(_ driver: Int) {
        guard let batch = recentBatch(driver) else { return }
        lastUnique += 1
        let task = RecordID(batch: batch, unique: lastUnique, index: 0)
        say(driver, ["GCS.TASK", "ADD", "\(task)", "spec"])
    }

    private mutating func keep(_ driver: Int) {
        guard var id = random.pick(Array(drivers[driver].objects.suffix(10))) else { return }
        if random.happens(20), let new = newObject(driver) {
            // Named before it is put.
            id = new
            let node = random.count(0...nodes.count - 1)
            agenda.add(.lateWrite(id, node: node), at: now + random.number(1...3000))
        }
        let owner = random.happens(80) ? model.owner(of: id) ?? id.batch : id.batch
        say(driver, ["GCS.BATCH", "KEEP", "\(owner)", "\(id)"])
    }

    private mutating func transfer(_ driver: Int) {
        var ids = Array(drivers[driver].objects.suffix(12))
        ids.removeAll { _ in random.happens(70) }
        let other = random.pick(drivers[random.count(0...drivers.count - 1)].batches)
        guard !ids.isEmpty, let batch = random.happens(20) ? .root : other else { return }
        say(driver, ["GCS.BATCH", "TRANSFER", "\(batch)"] + ids.map { "\($0)" })
    }

    private mutating func free(_ driver: Int) {
        var ids = Array(drivers[driver].objects.suffix(30))
        ids.removeAll { _ in random.happens(85) }
        guard !ids.isEmpty else { return }
        say(driver, ["GCS.OBJECT", "FREE"] + ids.map { "\($0)" })
    }

    private mutating func end(_ driver: Int) {
        guard let batch = recentBatch(driver) else { return }
        switch random.count(0...9) {
        case 0: say(driver, ["GCS.BATCH", "DESTROY", "\(batch)"])
        case 1: say(driver, ["DEL", "GC:\(batch)"])
        default: say(driver, ["GCS.BATCH", "END", "\(batch)"])
        }
    }

    private mutating func expire(_ driver: Int) {
        guard let batch = recentBatch(driver) else { return }
        say(driver, ["EXPIRE", "GC:\(batch)", "\(random.number(1...20))"])
    }

    private mutating func endBatches(_ driver: Int) {
        for batch in drivers[driver].batches where random.happens(plan.endPercent) {
            say(driver, ["GCS.BATCH", "END", "\(batch)"])
        }
    }
}
