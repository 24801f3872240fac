internal import Identifiers

/// What drivers do: anything, at any time.
extension World {
    /// A node that only drivers speak of: it has no store, and nobody registers it.
    static let strangeNode = "x1"

    mutating func act(_ driver: Int) {
        guard !isHealed else { return endBatches(driver) }
        agenda.add(.driverActs(driver), at: now + random.number(1...plan.actionGapMax))
        switch random.count(0...99) {
        case 0..<10: startBatch(driver)
        case 10..<35: putNew(driver)
        case 35..<38: putCopy(driver)
        case 38..<52: actOnTasks(driver)
        case 52..<57: keep(driver)
        case 57..<62: move(driver)
        case 62..<67: free(driver)
        case 67..<72: pin(driver)
        case 72..<81: end(driver)
        case 81..<84: expire(driver)
        case 84..<92: refer(driver)
        case 92..<98: read(driver)
        default: actOnNodes(driver)
        }
    }

    mutating func say(_ driver: Int, _ words: [String]) {
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
        if random.happens(40), let parent = recentBatch(driver), parent != id {
            words += ["PARENT", "\(parent)"]
        }
        if random.happens(15) { words += ["TIMEOUT", "\(random.number(1...20))"] }
        if random.happens(7) { words.append("NOCLEANUP") }
        say(driver, words)
    }

    /// Mostly one of the last few, which may have ended all the same.
    mutating func recentBatch(_ driver: Int) -> BatchID? {
        if random.happens(65) {
            let living = drivers[driver].batches.filter { model.batches[$0] != nil }
            if let batch = random.pick(living.suffix(4)) { return batch }
        }
        let batches = drivers[driver].batches
        return random.pick(random.happens(85) ? Array(batches.suffix(3)) : batches)
    }

    /// Some batch of anybody, sometimes the root.
    mutating func anyBatch() -> BatchID? {
        if random.happens(15) { return .root }
        return recentBatch(random.count(0...drivers.count - 1))
    }

    private mutating func end(_ driver: Int) {
        guard random.happens(plan.eagerness) else { return startBatch(driver) }
        guard let batch = random.happens(3) ? .root : recentBatch(driver) else { return }
        switch random.count(0...19) {
        case 0: say(driver, ["GCS.BATCH", "DESTROY", "\(batch)"])
        case 1 where batch != .root: say(driver, ["DEL", "GC:\(batch)"])
        case 2, 3: say(driver, ["GCS.BATCH", "END", "\(batch)", "NOGC"])
        default: say(driver, ["GCS.BATCH", "END", "\(batch)"])
        }
    }

    private mutating func expire(_ driver: Int) {
        guard let batch = recentBatch(driver) else { return }
        if random.happens(30) { return say(driver, ["PERSIST", "GC:\(batch)"]) }
        say(driver, ["EXPIRE", "GC:\(batch)", "\(random.number(0...20))"])
    }

    private mutating func read(_ driver: Int) {
        guard let batch = recentBatch(driver) else { return }
        switch random.count(0...5) {
        case 0, 1: say(driver, ["GCS.BATCH", "INFO", "\(batch)"])
        case 2: say(driver, ["SMEMBERS", "GC:\(batch)"])
        case 3: say(driver, ["TTL", "GC:\(batch)"])
        case 4:
            guard let id = random.pick(drivers[driver].objects.suffix(20)) else { return }
            say(driver, ["GCS.OBJECT", "GET", "\(id)"])
        default:
            guard let id = random.pick(drivers[driver].tasks.suffix(20)) else { return }
            say(driver, ["GCS.TASK", "GET", "\(id)"])
        }
    }

    private mutating func actOnNodes(_ driver: Int) {
        guard random.happens(15) else { return lateWrite(driver) }
        let name = random.happens(50) ? Self.strangeNode : random.pick(nodes)?.name
        say(driver, ["GCS.NODE", "REMOVE", name ?? Self.strangeNode])
    }

    /// Somebody slow writes for a batch that is mostly over.
    private mutating func lateWrite(_ driver: Int) {
        let over = drivers[driver].batches.filter { model.owner(of: object($0, 0)) != $0 }
        guard let batch = random.pick(over.suffix(10)) ?? recentBatch(driver) else { return }
        lastUnique += 1
        let id = object(batch, lastUnique)
        drivers[driver].objects.append(id)
        if random.happens(50) { return put(id, at: random.count(0...nodes.count - 1)) }
        say(driver, ["GCS.OBJECT", "ADD", "\(id)", Self.strangeNode, "1"])
    }

    func object(_ batch: BatchID, _ unique: UInt64) -> RecordID {
        RecordID(batch: batch, unique: unique, index: 1)
    }

    private mutating func endBatches(_ driver: Int) {
        for batch in drivers[driver].batches where random.happens(plan.endPercent) {
            say(driver, ["GCS.BATCH", "END", "\(batch)"])
        }
    }
}
