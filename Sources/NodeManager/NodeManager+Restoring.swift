internal import Identifiers
internal import RESP

extension NodeManager {
    /// Restorations without room are tried as often; the store lets each wait for a grace time.
    private static let restoreCountMax = 60

    /// Brings objects back that are on this node's disk and not in memory.
    mutating func restore(_ ids: [RecordID]) {
        guard spilling.isStoreOurs else { return }
        for id in ids {
            guard let copy = spilling.table[id], !copy.isDamaged else { continue }
            guard mirror[id] == nil else {
                // The store may have let it go already, and that it did be under way.
                if spilling.retries[id] == nil { retry(id, count: 0) }
                continue
            }
            guard spilling.restoring.insert(id).inserted else { continue }
            outputs.append(.spilling(.restore(id, copy.place)))
        }
    }

    mutating func retryRestoring() {
        let due = spilling.retries.filter { $0.value.at <= now }.map(\.key)
        for id in due {
            spilling.retries[id]?.at = .max
            if mirror[id] != nil { spilling.retries[id] = nil }
        }
        restore(due.filter { mirror[$0] == nil })
    }

    private mutating func retry(_ id: RecordID, count: Int) {
        let pause = configuration.spilling?.restorePause ?? .milliseconds(200)
        spilling.retries[id] = (now + pause.milliseconds, count)
    }

    mutating func restored(_ id: RecordID, _ byteCount: Int64) {
        spilling.restoring.remove(id)
        spilling.retries[id] = nil
        spilling.totals.restoredCount += 1
        spilling.totals.restoredByteCount += byteCount
        // Without a notification yet it is deleted when that comes.
        if spilling.doomedRestores.contains(id), mirror[id] != nil { deleteDoomedRestore(id) }
    }

    mutating func deleteDoomedRestore(_ id: RecordID) {
        guard spilling.doomedRestores.remove(id) != nil else { return }
        delete(id, isSingled: true)
    }

    mutating func notRestored(_ id: RecordID, _ reason: String, isFinal: Bool) {
        spilling.restoring.remove(id)
        spilling.doomedRestores.remove(id)
        guard spilling.table[id] != nil else { return }
        let count = (spilling.retries[id]?.count ?? 0) + 1
        if isFinal || count >= Self.restoreCountMax {
            say(.warning, "object \(id) cannot be brought back: \(reason)")
            spilling.retries[id] = nil
            if isFinal { spilling.table.update(id) { $0.isDamaged = true } }
        } else {
            if count == 1 { say(.verbose, "object \(id) has to wait: \(reason)") }
            retry(id, count: count)
        }
    }

    /// Asks the server, once it may be asked, which of the copies of earlier runs it still names.
    mutating func adoptLeftovers() {
        guard server.phase == .steady, var leftovers = spilling.leftovers else { return }
        let waiting = leftovers.waiting
        leftovers.waiting = []
        spilling.leftovers = leftovers
        for id in waiting { send(.adopt(id), ["GCS.OBJECT", "GET", "\(id)"]) }
        endAdoption()
    }

    mutating func adoptionAnswered(_ id: RecordID, _ reply: ControlReply) {
        guard spilling.leftovers != nil else { return }
        spilling.leftovers?.openCount -= 1
        let urls = (reply[field: "locations"]?.elements ?? []).compactMap { location -> String? in
            guard location[field: "node"]?.text == configuration.nodeID else { return nil }
            return location[field: "url"]?.text
        }
        for copy in spilling.leftovers?.copies[id] ?? [] where urls.contains(copy.place.url) {
            let adopted = SpilledTable.Copy(
                place: copy.place, createdAt: copy.createdAt, isReported: true)
            removeFile(spilling.table.insert(id, adopted))
            // Somebody may wait for it already; the store told of that only once.
            if spilling.awaited.contains(id) { restore([id]) }
        }
        endAdoption()
    }

    /// All answers are in: files of which nothing was adopted are nobody's.
    private mutating func endAdoption() {
        guard let leftovers = spilling.leftovers, leftovers.openCount == 0 else { return }
        spilling.leftovers = nil
        spilling.isAdopting = false
        spilling.awaited = []
        let dead = leftovers.paths.filter { !spilling.table.isLive($0) }
        for path in dead { removeFile(path) }
        guard !leftovers.paths.isEmpty else { return }
        say(
            .notice,
            "spilled by an earlier run: \(spilling.table.count) objects adopted, "
                + "\(dead.count) of \(leftovers.paths.count) files removed")
    }
}
