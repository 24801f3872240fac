internal import Foundation

/// Rows as JSON, one at a time, with the names of the server's fields.
struct MemoryJSON {
    var texts: Interned
    var listsObjects: Bool

    /// The sums, in one line.
    static func text(_ stats: MemoryStats) throws -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(stats), as: UTF8.self)
    }

    /// One row.
    func text(_ row: MemoryRow) -> String {
        let size = row.knownSize.map { String($0) } ?? "null"
        let task = texts[row.task].isEmpty ? "null" : quoted(texts[row.task])
        let batch =
            "\"batch\":\(row.batch),\"batch-name\":\(quoted(texts[row.batchName])),"
            + "\"batch-status\":\(quoted(texts[row.batchStatus])),"
            + "\"batch-created-ms\":\(row.batchCreated),\"task-state\":\(task)"
        guard !listsObjects else {
            let nodes = texts[row.node].split(separator: ",").map { quoted(String($0)) }
            return "{\"object\":\"\(row.object)\",\"bytes\":\(size),\"pinned\":\(row.isPinned),"
                + "\"kept\":\(row.isKept),\"nodes\":[\(nodes.joined(separator: ","))],\(batch)}"
        }
        return "{\"node\":\(quoted(texts[row.node])),\"pid\":\(row.process),"
            + "\"type\":\(quoted(texts[row.type])),\"object\":\"\(row.object)\",\"bytes\":\(size),"
            + "\"site\":\(quoted(texts[row.site])),\"driver\":\(row.isDriver),\(batch)}"
    }

    /// A string with what JSON wants escaped.
    func quoted(_ text: String) -> String {
        var quoted = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": quoted += "\\\""
            case "\\": quoted += "\\\\"
            case "\u{0}"..."\u{1f}":
                let digits = String(scalar.value, radix: 16)
                quoted += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
            default: quoted.unicodeScalars.append(scalar)
            }
        }
        return quoted + "\""
    }
}
