import Identifiers
import NodeManager
import RESP

/// The server's side of the contract in a few lines: what a node manager may see of it.
struct ModelServer {
    var runID = "run-1"
    /// Process, type and object.
    var pins: Set<String> = []
    /// Milliseconds ahead of the node's clock.
    var clockOffset: Int64 = 0
    var locations: [RecordID: Set<String>] = [:]
    var records: Set<RecordID> = []
    var ended: Set<Int64> = []
    var nodes: [String: [String: String]] = [:]
    var acknowledged: [String: LogID] = [:]
    var log: [(id: LogID, fields: [String])] = []
    var lastTrimmed = LogID.zero
    /// Every command, in order.
    var heard: [[String]] = []

    mutating func answer(_ words: [String], at now: Int64) -> ControlReply {
        heard.append(words)
        let serverNow = now + clockOffset
        switch words[0] {
        case "INFO": return .bytes(Array("# Server\r\nrun_id:\(runID)\r\n".utf8))
        case "TIME":
            return text(["\(serverNow / 1000)", "\(serverNow % 1000 * 1000)"])
        case "XINFO":
            return text(["length", "\(log.count)", "max-deleted-entry-id", "\(lastTrimmed)"])
        case "XRANGE": return range(after: words[2], count: Int(words[5]) ?? 0)
        case "EXISTS":
            let id = RecordID(hex: String(words[1].dropFirst("OBJECT:".count)))
            return .integer(id.map { records.contains($0) } == true ? 1 : 0)
        case "GCS.NODE": return node(words, at: serverNow)
        case "GCS.OBJECT": return object(words)
        case "GCS.REF": return reference(words)
        default: return .error(code: "ERR", text: "unknown command")
        }
    }

    private mutating func reference(_ words: [String]) -> ControlReply {
        let name = "\(words[3]) \(words[4]) \(words[5])"
        guard words[1] == "ADD" else { return .integer(pins.remove(name) == nil ? 0 : 1) }
        return .integer(pins.insert(name).inserted ? 1 : 0)
    }

    mutating func end(
        _ batch: Int64, at milliseconds: Int64, reason: String = "end", kept: [RecordID] = [],
        adopted: [RecordID] = []
    ) {
        ended.insert(batch)
        let keptSet = Set(kept)
        let released = records.filter { $0.batch.rawValue == batch && !keptSet.contains($0) }
        for id in released.union(adopted) { forget(id) }
        records.formUnion(kept)
        append(
            ["batch", "\(batch)", "reason", reason, "kept", list(kept), "adopted", list(adopted)],
            at: milliseconds)
    }

    mutating func free(_ ids: [RecordID], at milliseconds: Int64) {
        for id in ids { forget(id) }
        append(["objects", list(ids)], at: milliseconds)
    }

    mutating func trimLog() {
        lastTrimmed = log.last?.id ?? lastTrimmed
        log = []
    }

    mutating func restart() { self = ModelServer(runID: runID + "+", clockOffset: clockOffset) }

    private mutating func append(_ fields: [String], at milliseconds: Int64) {
        let time = UInt64(milliseconds + clockOffset)
        let last = max(log.last?.id ?? .zero, lastTrimmed)
        let sequence = last.milliseconds == time ? last.sequence + 1 : 0
        log.append((LogID(milliseconds: time, sequence: sequence), fields))
    }

    private mutating func forget(_ id: RecordID) {
        records.remove(id)
        locations[id] = nil
    }

    private func range(after start: String, count: Int) -> ControlReply {
        guard start.first == "(", let after = LogID(String(start.dropFirst())) else {
            return .error(code: "ERR", text: "expected an exclusive id")
        }
        let page = log.filter { $0.id > after }.prefix(count)
        return .array(page.map { .array([text("\($0.id)"), text($0.fields)]) })
    }

    private mutating func node(_ words: [String], at now: Int64) -> ControlReply {
        let name = words[2]
        switch words[1] {
        case "INFO":
            guard let fields = nodes[name] else { return .error(code: "ERR", text: "no such node") }
            return text(["id", name] + fields.flatMap { [$0.key, $0.value] })
        case "REGISTER":
            for id in locations.keys { locations[id]?.remove(name) }
            pins = []
            nodes[name] = ["last-seen-ms": "\(now)"]
            return text("\(acknowledged[name] ?? .zero)")
        case "HEARTBEAT":
            guard nodes[name] != nil else { return .error(code: "ERR", text: "no such node") }
            nodes[name]?["last-seen-ms"] = "\(now)"
            for index in stride(from: 3, to: words.count, by: 2) {
                nodes[name]?[words[index]] = words[index + 1]
            }
            return .status("OK")
        case "ACK":
            acknowledged[name] = LogID(words[3])
            return .status("OK")
        default: return .error(code: "ERR", text: "unknown subcommand")
        }
    }

    private mutating func object(_ words: [String]) -> ControlReply {
        guard let id = RecordID(hex: words[2]) else { return .error(code: "ERR", text: "bad id") }
        if words[1] == "REMOVE" {
            return .integer(locations[id]?.remove(words[3]) == nil ? 0 : 1)
        }
        if ended.contains(id.batch.rawValue), !records.contains(id) {
            return .error(code: "BATCHENDED", text: "batch \(id.batch) has ended")
        }
        records.insert(id)
        return .integer(locations[id, default: []].insert(words[3]).inserted ? 1 : 0)
    }

    private func text(_ words: [String]) -> ControlReply { .array(words.map { text($0) }) }
    private func text(_ word: String) -> ControlReply { .bytes(Array(word.utf8)) }
    private func list(_ ids: [RecordID]) -> String { ids.map(\.description).joined(separator: ",") }
}
