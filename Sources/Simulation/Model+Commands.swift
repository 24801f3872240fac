internal import Identifiers
internal import RESP

/// What the server has to answer.
enum Expectation: Equatable {
    case anything
    case someNumber
    case number(Int64)
    case status(String)
    case error(String)

    func allows(_ reply: ControlReply) -> Bool {
        switch (self, reply) {
        case (.anything, _), (.someNumber, .integer): true
        case (.number(let number), .integer(let found)): number == found
        case (.status(let text), .status(let found)): text == found
        case (.error(let code), .error(let found, _)): code == found
        default: false
        }
    }
}

extension Model {
    /// Does what the server did for a command.
    ///
    /// - Returns: what it has to have answered.
    mutating func carryOut(_ words: [String], at now: Int64) -> Expectation {
        switch words.prefix(2).joined(separator: " ") {
        case "GCS.BATCH START": return start(words, at: now)
        case "GCS.BATCH KEEP": return keep(batch(words[2]), ids(words.dropFirst(3)))
        case "GCS.BATCH TRANSFER": return transfer(batch(words[2]), ids(words.dropFirst(3)))
        case "GCS.BATCH END": return end(batch(words[2]))
        case "GCS.BATCH DESTROY":
            return destroy(batch(words[2]), takesKept: true) ?? .someNumber
        case "GCS.OBJECT FREE": return free(ids(words.dropFirst(2)))
        case "GCS.OBJECT ADD": return add(ids(words[2...2]))
        case "GCS.TASK ADD":
            return isWritable(ids(words[2...2])[0]) ? .someNumber : .error("BATCHENDED")
        default: return other(words, at: now)
        }
    }

    private mutating func other(_ words: [String], at now: Int64) -> Expectation {
        switch words[0] {
        case "DEL":
            let isThere = destroy(batch(String(words[1].dropFirst(3))), takesKept: false) == nil
            return .number(isThere ? 1 : 0)
        case "EXPIRE":
            let batch = batch(String(words[1].dropFirst(3)))
            guard batches[batch]?.isActive == true else { return .number(0) }
            setDeadline(batch, now + (Int64(words[2]) ?? 0) * 1000)
            return .number(1)
        default: return .anything
        }
    }

    private func batch(_ word: String) -> BatchID { BatchID(rawValue: Int64(word) ?? 0) }

    private func ids(_ words: ArraySlice<String>) -> [RecordID] {
        words.compactMap { RecordID(hex: $0) }
    }

    /// Why a batch cannot be written about; `nil` when it lives.
    private func refusal(_ id: BatchID) -> Expectation? {
        if id == .root || batches[id] != nil { return nil }
        return .error(ended.contains(id) ? "BATCHENDED" : "NOBATCH")
    }

    private func isWritable(_ id: RecordID) -> Bool { owner(of: id) != nil }

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
        if new.parent != .root, batches[new.parent]?.isActive != true { return .error("ERR") }
        if batches[id] != nil { return .error("ERR") }
        if ended.contains(id) { return .error("BATCHENDED") }
        start(id, new)
        return .number(id.rawValue)
    }

    private mutating func keep(_ batch: BatchID, _ ids: [RecordID]) -> Expectation {
        guard batch != .root else { return .error("ERR") }
        if let refusal = refusal(batch) { return refusal }
        for id in ids {
            guard let owner = owner(of: id) else { return .error("BATCHENDED") }
            if owner != batch { return .error("ERR") }
        }
        let new = ids.filter { !kept.contains($0) }
        for id in new {
            record(id)
            kept.insert(id)
            owners[id] = batch
        }
        return .number(Int64(new.count))
    }

    private mutating func transfer(_ batch: BatchID, _ ids: [RecordID]) -> Expectation {
        if let refusal = refusal(batch) { return refusal }
        guard ids.allSatisfy(isWritable) else { return .error("BATCHENDED") }
        var moved: Int64 = 0
        for id in ids {
            if owner(of: id) != batch || !records.contains(id) { moved += 1 }
            record(id)
            kept.remove(id)
            owners[id] = id.batch == batch && batch != .root ? nil : batch
        }
        return .number(moved)
    }

    private mutating func end(_ id: BatchID) -> Expectation {
        guard let batch = batches[id] else { return refusal(id) ?? .anything }
        if batch.isNoCleanup {
            finish(id)
            return .status("ENDED")
        }
        collect(id, takesKept: false)
        return .status("COLLECTED")
    }

    private mutating func destroy(_ id: BatchID, takesKept: Bool) -> Expectation? {
        if let refusal = refusal(id) { return refusal }
        collect(id, takesKept: takesKept)
        return nil
    }

    private mutating func free(_ ids: [RecordID]) -> Expectation {
        let freed = ids.filter { records.contains($0) }
        for id in freed { condemn(id) }
        return .number(Int64(freed.count))
    }

    private mutating func add(_ ids: [RecordID]) -> Expectation {
        for id in ids {
            guard isWritable(id) else { return .error("BATCHENDED") }
            record(id)
        }
        return .someNumber
    }
}
