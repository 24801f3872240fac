internal import Identifiers
internal import RESP

/// Texts that many rows share, by number.
struct Interned {
    private(set) var texts: [String] = []
    private var numbers: [String: UInt32] = [:]

    /// The number of a text.
    mutating func number(_ text: String) -> UInt32 {
        if let number = numbers[text] { return number }
        let number = UInt32(texts.count)
        numbers[text] = number
        texts.append(text)
        return number
    }

    subscript(number: UInt32) -> String { texts[Int(number)] }
}

/// A reference, or an object without any, in 80 bytes: millions of them are sorted in memory.
struct MemoryRow {
    var object: RecordID
    /// Bytes; -1 when unknown.
    var size: Int64
    var batch: Int64
    /// Milliseconds since 1970; 0 when unknown.
    var batchCreated: Int64
    var process: UInt32 = 0
    /// The node of a reference; the nodes of an object, joined.
    var node: UInt32
    var site: UInt32
    var type: UInt32
    var batchName: UInt32
    var batchStatus: UInt32
    var task: UInt32
    var isDriver = false
    var isKept = false
    var isPinned = false

    var knownSize: Int64? { size < 0 ? nil : size }
}

/// Reads the rows of pages.
struct MemoryReader {
    var texts = Interned()
    /// Where each field stands in a row; rows of one list have the same fields.
    private var positions: [String: Int] = [:]

    /// Reads a row of REFS or UNREFERENCED; `nil` when it has not that shape.
    mutating func row(_ reply: ControlReply) -> MemoryRow? {
        guard let fields = reply.elements else { return nil }
        if positions.isEmpty {
            for position in stride(from: 0, to: fields.count - 1, by: 2) {
                positions[fields[position].text ?? ""] = position + 1
            }
        }
        guard let text = field("object", fields)?.text, let object = RecordID(hex: text) else {
            return nil
        }
        var row = MemoryRow(
            object: object, size: field("bytes", fields)?.number ?? -1,
            batch: field("batch", fields)?.number ?? 0,
            batchCreated: field("batch-created-ms", fields)?.number ?? 0,
            node: nodes(fields), site: intern("site", fields), type: intern("type", fields),
            batchName: intern("batch-name", fields), batchStatus: intern("batch-status", fields),
            task: intern("task-state", fields))
        row.process = UInt32(truncatingIfNeeded: field("pid", fields)?.number ?? 0)
        row.isDriver = field("driver", fields)?.number == 1
        row.isKept = field("kept", fields)?.number == 1
        row.isPinned = field("pinned", fields)?.number == 1
        return row
    }

    private func field(_ name: String, _ fields: [ControlReply]) -> ControlReply? {
        guard let position = positions[name], position < fields.count else { return nil }
        return fields[position]
    }

    private mutating func intern(_ name: String, _ fields: [ControlReply]) -> UInt32 {
        texts.number(field(name, fields)?.text ?? "")
    }

    private mutating func nodes(_ fields: [ControlReply]) -> UInt32 {
        guard let list = field("nodes", fields)?.elements else { return intern("node", fields) }
        return texts.number(list.compactMap(\.text).joined(separator: ","))
    }
}
