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

    /// After the healing: every store holds what it should, and the server knows where everything is.
    mutating func check(_ attempt: Int) {
        // A heartbeat may be under way just now.
        if attempt < 20, !nodes.allSatisfy({ $0.manager.isIdle }) {
            return agenda.add(.check(attempt: attempt + 1), at: now + 37)
        }
        for node in nodes.indices { checkStore(node) }
        for id in model.objects.sorted(by: { $0.isBefore($1) }) { checkLocations(id) }
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
        if known ?? [] != holders {
            fail("the server has \(id.short) at \(known ?? []), it is at \(holders)")
        }
        if (known != nil) != model.records.contains(id) {
            fail("the server has \(known == nil ? "no" : "a") record of \(id.short)")
        }
    }

    private mutating func checkLog() {
        let count = server.logCount
        if count > 0 { fail("the log still has \(count) entries") }
    }
}

/// A request, ids shortened.
func shown(_ words: [String]) -> String {
    words.map { word in
        guard word.utf8.count == 40, let id = RecordID(hex: word) else { return word }
        return id.short
    }.joined(separator: " ")
}

/// A reply on one line.
func shown(_ reply: ControlReply) -> String {
    switch reply {
    case .null: "nil"
    case .integer(let value): ":\(value)"
    case .bytes(let bytes):
        bytes.count > 60 ? "(\(bytes.count) bytes)" : String(decoding: bytes, as: UTF8.self)
    case .status(let text): "+\(text)"
    case .error(let code, let text): "-\(code) \(text)"
    case .array(let elements): "[" + elements.map { shown($0) }.joined(separator: " ") + "]"
    }
}
