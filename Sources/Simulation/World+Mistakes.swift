internal import Identifiers
internal import RESP

/// Where a planted bug gets in: between the server and whoever speaks with it.
extension World {
    /// What the server really says to a request, when it has the bug.
    mutating func saidByServer(_ bytes: [UInt8], _ link: Int) -> [UInt8] {
        guard let words = links[link].unanswered.first?.words else { return bytes }
        switch plantedMistake {
        case .countsLateWrite:
            let isLate = bytes.starts(with: Array("-BATCHENDED".utf8))
            return isLate && words[1] == "ADD" ? Array(":1\r\n".utf8) : bytes
        case .releasesCircleEarly:
            let isDeferred = bytes.starts(with: Array("+DEFERRED".utf8))
            if isDeferred { server.collectCircle(of: BatchID(rawValue: Int64(words[2]) ?? 0)) }
            return bytes
        default: return bytes
        }
    }

    /// What an agent takes a reply for, when it has the bug.
    mutating func understood(
        _ reply: ControlReply, to words: [String], at node: Int
    ) -> ControlReply {
        guard words[0] == "XRANGE", let entries = reply.elements, !entries.isEmpty else {
            return reply
        }
        switch plantedMistake {
        case .acknowledgesEarly:
            if let link = nodes[node].control, let id = entries.last?.elements?.first?.text {
                send(["GCS.NODE", "ACK", nodes[node].name, id], on: link, number: -1)
            }
            return reply
        case .forgetsKept: return .array(entries.map { Self.without("kept", $0) })
        case .skipsMissedNotice where nodes[node].hasReconnected:
            nodes[node].hasReconnected = false
            let fields = ["batch", "objects"].reduce(entries[0]) { Self.without($1, $0) }
            return .array([fields] + entries.dropFirst())
        default: return reply
        }
    }

    /// An entry of the log without one of its fields.
    private static func without(_ name: String, _ entry: ControlReply) -> ControlReply {
        guard let parts = entry.elements, let fields = parts[1].elements else { return entry }
        var left: [ControlReply] = []
        for position in stride(from: 0, to: fields.count - 1, by: 2)
        where fields[position].text != name {
            left += fields[position...position + 1]
        }
        return .array([parts[0], .array(left)])
    }
}
