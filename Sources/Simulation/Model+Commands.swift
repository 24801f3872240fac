internal import Identifiers

extension Model {
    /// Does what the server did for a command.
    ///
    /// - Returns: what it has to have answered.
    mutating func carryOut(_ words: [String], at now: Int64) -> Expectation {
        switch words[0] {
        case "GCS.BATCH": return carryOutBatch(words, at: now)
        case "GCS.TASK": return carryOutTask(words)
        case "GCS.ACTOR": return checkpoint(id(words[2]), at: id(words[3]))
        case "GCS.OBJECT": return carryOutObject(words)
        case "GCS.REF":
            guard words[1] == "CLEAR" else { return refer(words, at: now) }
            return .number(clear(words[2], words.count > 3 ? words[3] : nil))
        case "GCS.NODE": return carryOutNode(words, at: now)
        default: return carryOutKey(words, at: now)
        }
    }

    private mutating func carryOutBatch(_ words: [String], at now: Int64) -> Expectation {
        let id = batch(words[2])
        switch words[1] {
        case "START": return start(words, at: now)
        case "KEEP": return keep(id, ids(words.dropFirst(3)))
        case "TRANSFER": return move(ids(words.dropFirst(3)), [], to: id)
        case "DEPEND": return depend(id, on: batch(words[3]))
        case "INFO": return batchInfo(id, at: now)
        case "DESTROY":
            return refusal(id, isRootRefused: true) ?? .number(collect(id, takesKept: true))
        default:
            if let refusal = refusal(id, isRootRefused: true) { return refusal }
            switch end(id, isNoGC: words.last == "NOGC") {
            case .deferred: return .status("DEFERRED")
            case .done: return .status("ENDED")
            case .active, nil: return .status("COLLECTED")
            }
        }
    }

    private mutating func carryOutTask(_ words: [String]) -> Expectation {
        let id = id(words[2])
        switch words[1] {
        case "ADD": return addTask(id, words)
        case "GET": return taskInfo(id)
        default:
            guard tasks[id] != nil else {
                return .error(home(of: id) == nil ? "BATCHENDED" : "NOTASK")
            }
            tasks[id]?.state = words[3]
            return .status("OK")
        }
    }

    private mutating func carryOutObject(_ words: [String]) -> Expectation {
        switch words[1] {
        case "ADD": return addLocation(id(words[2]), words[3])
        case "REMOVE": return removeLocation(id(words[2]), words[3])
        case "GET": return objectInfo(id(words[2]))
        case "PIN": return pin(ids(words.dropFirst(2)))
        case "UNPIN": return unpin(ids(words.dropFirst(2)))
        default: return free(ids(words.dropFirst(2)), takesTasks: words[2] == "TASKS")
        }
    }

    private mutating func carryOutNode(_ words: [String], at now: Int64) -> Expectation {
        switch words[1] {
        case "REGISTER": register(words[2], at: now)
        case "HEARTBEAT", "ACK": return hear(from: words[2], at: now)
        case "REMOVE": return remove(words[2])
        default: break
        }
        return .anything
    }

    private mutating func carryOutKey(_ words: [String], at now: Int64) -> Expectation {
        switch words[0] {
        case "DEL":
            if words[1].hasPrefix("OBJECT:") { return free(ids(words[1...]), takesTasks: false) }
            if words[1].hasPrefix("TASK:") {
                return .number(tasks.removeValue(forKey: id(words[1])) == nil ? 0 : 1)
            }
            let id = batch(words[1])
            guard batches[id] != nil else { return .number(0) }
            _ = collect(id, takesKept: false)
            return .number(1)
        case "SADD":
            let tasks = ids(words[2...].filter { $0.hasPrefix("TASK:") }[...])
            return move(
                ids(words[2...].filter { $0.hasPrefix("OBJECT:") }[...]), tasks, to: batch(words[1])
            )
        case "SREM":
            // As Redis answers for a key that is not there.
            guard refusal(batch(words[1])) == nil else { return .number(0) }
            return keep(batch(words[1]), ids(words[2...]))
        case "SMEMBERS": return members(batch(words[1]))
        case "TTL": return timeToLive(batch(words[1]), at: now)
        case "PERSIST", "EXPIRE":
            let id = batch(words[1])
            guard batches[id]?.status == .active else { return .number(0) }
            let had = batches[id]?.deadline != 0
            batches[id]?.deadline = words.count > 2 ? now + (Int64(words[2]) ?? 0) * 1000 : 0
            return .number(words.count > 2 || had ? 1 : 0)
        default: return .anything
        }
    }

    private func batch(_ word: String) -> BatchID {
        BatchID(rawValue: Int64(word.hasPrefix("GC:") ? String(word.dropFirst(3)) : word) ?? 0)
    }

    private func id(_ word: String) -> RecordID {
        RecordID(hex: String(word.suffix(40))) ?? RecordID(batch: .root, unique: 0, index: 0)
    }

    private func ids(_ words: ArraySlice<String>) -> [RecordID] {
        words.compactMap { RecordID(hex: String($0.suffix(40))) }
    }

    /// Why a batch cannot be written about; `nil` when it lives.
    func refusal(_ id: BatchID, isRootRefused: Bool = false) -> Expectation? {
        if id == .root { return isRootRefused ? .error("ERR") : nil }
        if batches[id] != nil { return nil }
        return .error(ended.contains(id) ? "BATCHENDED" : "NOBATCH")
    }

    private mutating func start(_ words: [String], at now: Int64) -> Expectation {
        let id = batch(words[3])
        var new = Batch(parent: .root)
        for position in words.indices.dropFirst(4) {
            switch words[position] {
            case "PARENT": new.parent = batch(words[position + 1])
            case "TIMEOUT": new.deadline = now + (Int64(words[position + 1]) ?? 0) * 1000
            case "NOCLEANUP": new.isNoCleanup = true
            default: break
            }
        }
        if let refusal = refusal(new.parent) { return refusal }
        if new.parent != .root, batches[new.parent]?.status != .active { return .error("ERR") }
        if batches[id] != nil { return .error("ERR") }
        if ended.contains(id) { return .error("BATCHENDED") }
        batches[id] = new
        return .number(id.rawValue)
    }

    private mutating func depend(_ id: BatchID, on other: BatchID) -> Expectation {
        if let refusal = refusal(id) ?? refusal(other) { return refusal }
        if id == .root || other == .root || id == other || isAncestor(other, of: id) {
            return .error("ERR")
        }
        return .number(batches[id]?.explicit.insert(other).inserted == true ? 1 : 0)
    }

    private mutating func addTask(_ id: RecordID, _ words: [String]) -> Expectation {
        let old = tasks[id]
        guard let owner = old?.owner ?? home(of: id) else { return .error("BATCHENDED") }
        var task = Task(owner: owner)
        for position in words.indices.dropFirst(4) {
            switch words[position] {
            case "STATE": task.state = words[position + 1]
            case "ACTOR": task.actor = self.id(words[position + 1])
            case "ARGS": task.arguments = ids(words.dropFirst(position + 2))
            default: break
            }
        }
        if let actor = task.actor {
            task.turn = old?.turn ?? 0
            if old?.actor != actor {
                lastTurn += 1
                task.turn = lastTurn
                if owner != .root { actors[actor, default: []].append((lastTurn, owner)) }
            }
        }
        tasks[id] = task
        for argument in task.arguments { name(argument, by: owner) }
        return .number(old == nil ? 1 : 0)
    }

    private mutating func checkpoint(_ actor: RecordID, at id: RecordID) -> Expectation {
        guard let task = tasks[id] else { return .error("NOTASK") }
        guard task.actor == actor else { return .error("ERR") }
        actors[actor]?.removeAll { $0.turn <= task.turn }
        releaseAll()
        return .status("OK")
    }
}
