internal import Identifiers
internal import PlasmaProtocol
internal import RESP

// One file: objects are chosen, the server says which are primary here, they are written, the server
// is told where, and only then they leave memory.
extension NodeManager {
    /// Asks the server about each chosen object: whether it knows it, and who has the primary copy.
    mutating func judge(_ worker: Int, _ candidates: [SpillCandidate]) {
        var judgement = Spilling.Judgement(
            open: [], byteCount: candidates.reduce(0) { $0 + $1.byteCount })
        if candidates.isEmpty { pauseSpilling() }
        let isAnswering = server.phase == .steady
        for candidate in candidates {
            let id = candidate.id
            if spilling.table[id]?.isReported == true {
                // It was brought back, and then taken for a primary copy again.
                judgement.secondary.append(id)
            } else if isAnswering, spilling.table[id] == nil, mirror[id]?.isDying == false {
                judgement.open.insert(id)
            }
        }
        spilling.workers[worker] = .judging(judgement)
        for id in judgement.open {
            send(.judge(id, worker: worker), ["GCS.OBJECT", "GET", "\(id)"])
        }
        writeWhenJudged(worker)
    }

    mutating func judged(_ id: RecordID, _ worker: Int, _ reply: ControlReply) {
        guard case .judging(var judgement) = spilling.workers[worker],
            judgement.open.remove(id) != nil
        else { return }
        switch standing(reply) {
        case .primary: judgement.kept[id] = mirror[id]?.createdAt ?? now
        case .secondary: judgement.secondary.append(id)
        case .unknown: break
        }
        spilling.workers[worker] = .judging(judgement)
        writeWhenJudged(worker)
    }

    private enum Standing { case primary, secondary, unknown }

    /// What this node's copy is, by the server's word: the first primary copy listed is the one, and
    /// any copy is a secondary one of what another node has on disk.
    private func standing(_ reply: ControlReply) -> Standing {
        var found = Standing.unknown
        for location in reply[field: "locations"]?.elements ?? [] {
            let isOurs = location[field: "node"]?.text == configuration.nodeID
            switch location[field: "copy"]?.text {
            case "primary" where found == .unknown: found = isOurs ? .primary : .secondary
            case "spilled" where !isOurs: found = .secondary
            default: break
            }
        }
        return found
    }

    private mutating func writeWhenJudged(_ worker: Int) {
        guard case .judging(let judgement) = spilling.workers[worker], judgement.open.isEmpty
        else { return }
        if judgement.kept.isEmpty, judgement.secondary.isEmpty { pauseSpilling() }
        spilling.workers[worker] = .writing(judgement.kept, byteCount: judgement.byteCount)
        outputs.append(
            .spilling(.write(worker: worker, judgement.kept, secondary: judgement.secondary)))
    }

    /// The server's answers will not come: what was not judged stays in memory.
    mutating func stopJudging() {
        for worker in spilling.workers.indices {
            guard case .judging(var judgement) = spilling.workers[worker] else { continue }
            judgement.open = []
            spilling.workers[worker] = .judging(judgement)
            writeWhenJudged(worker)
        }
        spilling.table.updateAll { $0.isUnderWay = false }
        if var leftovers = spilling.leftovers {
            leftovers.waiting = Array(leftovers.copies.keys)
            leftovers.openCount = leftovers.copies.count
            spilling.leftovers = leftovers
        }
    }

    /// Nothing is there to spill now; what clients use may be released soon.
    private mutating func pauseSpilling() {
        let pause = configuration.spilling?.restorePause ?? .milliseconds(200)
        spilling.pausedUntil = max(spilling.pausedUntil, now + pause.milliseconds)
    }

    mutating func written(_ worker: Int, _ path: String?, _ places: [RecordID: SpillPlace]) {
        guard case .writing(let times, let byteCount) = spilling.workers[worker] else { return }
        guard let path, !places.isEmpty else {
            spilling.workers[worker] = .idle
            return
        }
        mention(places)
        for (id, place) in places {
            // Deleted while it was written: the store removes it when the worker lets it go.
            if mirror[id]?.isDying == true { continue }
            let copy = SpilledTable.Copy(place: place, createdAt: times[id] ?? now)
            removeFile(spilling.table.insert(id, copy))
        }
        if !spilling.table.isLive(path) { removeFile(path) }
        let waiting = Set(places.keys.filter { spilling.table[$0] != nil })
        spilling.workers[worker] = .reporting(
            waiting, all: Array(places.keys), byteCount: byteCount)
        reportSpilled(Array(waiting))
        dropWhenReported(worker)
    }

    private mutating func mention(_ places: [RecordID: SpillPlace]) {
        if spilling.failure != nil {
            spilling.failure = nil
            say(.notice, "spilling goes on")
        }
        let byteCount = places.values.reduce(0) { $0 + $1.byteCount }
        spilling.totals.spilledCount += places.count
        spilling.totals.spilledByteCount += byteCount
        say(.verbose, "spilled \(places.count) objects, \(byteCount) bytes")
        let total = spilling.totals.spilledByteCount
        guard total >= spilling.totals.nextMention else { return }
        spilling.totals.nextMention = max(100 << 20, 2 * total)
        say(.notice, "spilled \(spilling.totals.spilledCount) objects, \(total) bytes so far")
    }

    /// Tells the server where objects are; again when it has lost its memory.
    mutating func reportSpilled(_ ids: [RecordID]) {
        guard server.phase == .steady else { return }
        let node = configuration.nodeID
        for id in ids {
            guard let copy = spilling.table[id], !copy.isReported, !copy.isUnderWay else {
                continue
            }
            spilling.table.update(id) { $0.isUnderWay = true }
            let isInMemory = mirror[id] != nil
            if !isInMemory {
                // A server without memory learns the object's size from a location.
                send(.aside, ["GCS.OBJECT", "ADD", "\(id)", node, "\(copy.place.byteCount)"])
            }
            send(
                .spilled(id, url: copy.place.url),
                ["GCS.OBJECT", "SPILLED", "\(id)", node, copy.place.url])
            if !isInMemory { send(.aside, ["GCS.OBJECT", "REMOVE", "\(id)", node]) }
        }
    }

    mutating func spilledAnswered(_ id: RecordID, _ url: String, _ reply: ControlReply) {
        if let copy = spilling.table[id], copy.place.url == url {
            switch reply {
            case .error(code: "BATCHENDED", _): forgetSpilled(id)
            case .error:
                let line = reply.errorLine ?? "\(reply)"
                say(.warning, "server refused the place of object \(id): \(line)")
                // It stays in memory; what is on disk only is said again later.
                spilling.pausedUntil = now + configuration.refusalPeriod.milliseconds
                if mirror[id] != nil { forgetSpilled(id) } else { reports.noteRefusal(now) }
                spilling.table.update(id) { $0.isUnderWay = false }
            default:
                spilling.table.update(id) {
                    $0.isReported = true
                    $0.isUnderWay = false
                }
            }
        } else if reply.errorLine == nil {
            // It was deleted while this was on its way, which may have made a new record.
            send(.aside, ["GCS.OBJECT", "SPILLED", "\(id)", configuration.nodeID, ""])
        }
        for worker in spilling.workers.indices {
            guard case .reporting(var open, let all, let byteCount) = spilling.workers[worker],
                open.remove(id) != nil
            else { continue }
            spilling.workers[worker] = .reporting(open, all: all, byteCount: byteCount)
            dropWhenReported(worker)
        }
    }

    private mutating func dropWhenReported(_ worker: Int) {
        guard case .reporting(let open, let all, let byteCount) = spilling.workers[worker],
            open.isEmpty
        else { return }
        spilling.workers[worker] = .dropping(byteCount: byteCount)
        let ids = all.filter { spilling.table[$0]?.isReported == true }
        outputs.append(.spilling(.drop(worker: worker, ids)))
    }

    /// Forgets an object on disk; its file goes with the last one.
    mutating func forgetSpilled(_ id: RecordID) {
        if spilling.restoring.contains(id) { spilling.doomedRestores.insert(id) }
        spilling.retries[id] = nil
        removeFile(spilling.table.remove(id))
        for worker in spilling.workers.indices {
            guard case .reporting(var open, let all, let byteCount) = spilling.workers[worker],
                spilling.table[id] == nil, open.remove(id) != nil
            else { continue }
            spilling.workers[worker] = .reporting(open, all: all, byteCount: byteCount)
            dropWhenReported(worker)
        }
    }

    mutating func removeFile(_ path: String?) {
        if let path { outputs.append(.spilling(.remove(path: path))) }
    }

    /// Deletes from the disk what a deletion is about, unless it was put again since.
    ///
    /// - Returns: how many of them were on the disk only.
    mutating func deleteSpilled(_ ids: [RecordID], loggedAt: Int64) -> Int {
        var count = 0
        for id in ids {
            guard let copy = spilling.table[id],
                copy.createdAt <= loggedAt + configuration.notificationDelayMax.milliseconds
            else { continue }
            if mirror[id] == nil { count += 1 }
            forgetSpilled(id)
        }
        return count
    }
}
