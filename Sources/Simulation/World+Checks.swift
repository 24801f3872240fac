internal import Identifiers
internal import NodeManager
internal import RESP

/// What has to be true.
extension World {
    /// Remembers which nodes have to delete what a deletion was just about.
    mutating func collectCondemned() {
        for id in model.condemned {
            for node in nodes.indices where nodes[node].isRegistered && nodes[node].store.has(id) {
                nodes[node].mustGo.insert(id)
            }
        }
        model.condemned = []
    }

    /// Lets go of what processes of nodes held that the server gave up; not too early, nor too late.
    mutating func clearLostNodes() {
        let timeout = Int64(plan.nodeTimeout) * 1000
        guard timeout > 0 else { return }
        for (name, lastSeen) in model.lastSeen where now - lastSeen > timeout {
            guard model.references.contains(where: { $0.node == name }) else { continue }
            if server.referenceCount(ofNode: name) == 0 {
                note("the server gives up what \(name) holds")
                _ = model.clear(name, nil)
            } else if now > max(lastSeen + timeout, model.lastReferred[name, default: 0]) + 2500 {
                fail("\(name) still holds references, silent for \(now - lastSeen) ms")
            }
        }
    }

    /// After the healing: every store holds what it should, and the server knows where everything is.
    mutating func check(_ attempt: Int) {
        // A heartbeat may be under way just now.
        if attempt < 20, !nodes.allSatisfy({ $0.manager.isIdle }) {
            return agenda.add(.check(attempt: attempt + 1), at: now + 37)
        }
        for node in nodes.indices { checkStore(node) }
        for id in model.objects.sorted(by: { $0.isBefore($1) }) { checkLocations(id) }
        checkBatches()
        checkReferences()
        checkLog()
        isOver = true
    }

    private mutating func checkStore(_ node: Int) {
        let name = nodes[node].name
        if !nodes[node].manager.isIdle { fail("\(name) is still at work") }
        for id in nodes[node].store.ids {
            if nodes[node].mustGo.contains(id) {
                fail("\(name) still has \(id.short), which was to be deleted")
            } else if model.owner(of: id) == nil {
                fail("\(name) still has \(id.short), whose batch has ended")
            }
        }
    }

    private mutating func checkLocations(_ id: RecordID) {
        let holders = nodes.filter { $0.store.has(id) }.map(\.name)
        let known = server.locations(of: id)
        let nodes = (known ?? []).filter { $0 != Self.strangeNode }
        if nodes != holders {
            fail("the server has \(id.short) at \(known ?? []), it is at \(holders)")
        }
        if known.map({ Set($0) }) != model.records[id]?.nodes {
            let expected = model.records[id].map { $0.nodes.sorted() }
            fail("the server has \(id.short) at \(known ?? []) instead of \(expected ?? [])")
        }
    }

    /// Every batch is as it should be: what is still deferred waits for an active one.
    private mutating func checkBatches() {
        let found = server.batches
        for id in Set(found.keys).union(model.batches.keys).sorted() {
            let (actual, wanted) = (found[id].map { "\($0)" }, model.batches[id]?.status.rawValue)
            if actual != wanted {
                fail("batch \(id) is \(actual ?? "gone"), not \(wanted ?? "gone")")
            }
        }
    }

    private mutating func checkReferences() {
        for name in nodes.map(\.name) + [Self.strangeNode] {
            let (actual, wanted) = (
                server.referenceCount(ofNode: name), model.references.count { $0.node == name }
            )
            if actual != wanted { fail("\(name) holds \(actual) references, not \(wanted)") }
        }
    }

    private mutating func checkLog() {
        let count = server.logCount
        if count > 0 { fail("the log still has \(count) entries") }
    }
}
