internal import Identifiers

/// What drivers do with tasks, and what makes batches wait for each other.
extension World {
    mutating func actOnTasks(_ driver: Int) {
        switch random.count(0...19) {
        case 0..<13: addTask(driver)
        case 13: setState(driver)
        case 14, 15: checkpoint(driver)
        case 16: removeTask(driver)
        default: depend(driver)
        }
    }

    private mutating func addTask(_ driver: Int) {
        guard let batch = recentBatch(driver) else { return }
        lastUnique += 1
        var task = RecordID(batch: batch, unique: lastUnique, index: 0)
        if random.happens(10), let old = random.pick(drivers[driver].tasks.suffix(5)) {
            task = old
        } else {
            drivers[driver].tasks.append(task)
        }
        var words = ["GCS.TASK", "ADD", "\(task)", "spec"]
        if random.happens(30) { words += ["STATE", "RUNNING"] }
        if random.happens(45) {
            let actor = actor(batch)
            drivers[driver].turns.append((actor, task))
            words += ["ACTOR", "\(actor)"]
        }
        let arguments = arguments()
        if !arguments.isEmpty { words += ["ARGS", "\(arguments.count)"] + arguments }
        say(driver, words)
    }

    /// One of a few that everybody shares.
    private mutating func actor(_ batch: BatchID) -> RecordID {
        RecordID(batch: .root, unique: 1 << 40 + UInt64(random.count(1...3)), index: 0)
    }

    /// Objects of anybody.
    private mutating func arguments() -> [String] {
        var ids: Set<RecordID> = []
        for _ in 0..<random.count(0...2) {
            let objects = drivers[random.count(0...drivers.count - 1)].objects
            if let id = random.pick(objects.suffix(15)) { ids.insert(id) }
        }
        return ids.sorted { $0.isBefore($1) }.map { "\($0)" }
    }

    private mutating func setState(_ driver: Int) {
        guard let task = random.pick(drivers[driver].tasks.suffix(10)) else { return }
        let state = random.pick(["RUNNING", "FINISHED", "FAILED", "CANCELLED"]) ?? "FINISHED"
        say(driver, ["GCS.TASK", "STATE", "\(task)", state])
    }

    private mutating func checkpoint(_ driver: Int) {
        guard let (actor, task) = random.pick(drivers[driver].turns.suffix(10)) else { return }
        say(driver, ["GCS.ACTOR", "CHECKPOINT", "\(actor)", "\(task)"])
    }

    private mutating func removeTask(_ driver: Int) {
        guard let task = random.pick(drivers[driver].tasks.suffix(10)) else { return }
        say(driver, ["DEL", "TASK:\(task)"])
    }

    /// Mostly one way and then the other, so that circles come about.
    private mutating func depend(_ driver: Int) {
        guard let batch = anyBatch(), let other = anyBatch() else { return }
        say(driver, ["GCS.BATCH", "DEPEND", "\(batch)", "\(other)"])
        guard random.happens(40) else { return }
        say(driver, ["GCS.BATCH", "DEPEND", "\(other)", "\(batch)"])
    }
}
