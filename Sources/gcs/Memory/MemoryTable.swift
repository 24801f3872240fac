internal import Identifiers

/// Rows as a person reads them, each column as wide as its cells.
struct MemoryTable {
    /// Rows that the widths are taken from: the first, the last, and some between.
    private static let sampleCount = 2000

    var texts: Interned
    var units: MemoryUnit
    var listsObjects: Bool
    /// Milliseconds since 1970.
    var now: Int64

    /// Titles, and whether their cells stand at the right edge; the last column has any width.
    private var columns: [(title: String, isRight: Bool)] {
        listsObjects
            ? [
                ("SIZE", true), ("BATCH", false), ("AGE", true), ("TASK", false), ("OBJECT", false),
                ("NODES", false), ("WHY IT IS THERE", false),
            ]
            : [
                ("NODE", false), ("PID", true), ("KIND", false), ("REFERENCE TYPE", false),
                ("SIZE", true), ("BATCH", false), ("AGE", true), ("TASK", false),
                ("OBJECT", false), ("CALL SITE", false),
            ]
    }

    private func cells(_ row: MemoryRow) -> [String] {
        let task = texts[row.task].isEmpty ? "-" : texts[row.task]
        let size = units.text(row.knownSize)
        guard !listsObjects else {
            let nodes = texts[row.node].isEmpty ? "-" : texts[row.node]
            return [size, batch(row), age(row), task, "\(row.object)", nodes, reason(row)]
        }
        let site = texts[row.site].isEmpty ? "-" : texts[row.site]
        return [
            texts[row.node], "\(row.process)", row.isDriver ? "driver" : "worker", texts[row.type],
            size, batch(row), age(row), task, "\(row.object)", site,
        ]
    }

    private func batch(_ row: MemoryRow) -> String {
        if row.batch == 0 { return "0 (root)" }
        let name = texts[row.batchName]
        return name.isEmpty ? "\(row.batch)" : "\(row.batch) \(name)"
    }

    private func age(_ row: MemoryRow) -> String {
        let status = texts[row.batchStatus]
        guard row.batchCreated > 0 else { return status == "ended" ? status : "-" }
        let age = Units.age(milliseconds: now - row.batchCreated)
        return status == "active" ? age : "\(age) \(status)"
    }

    private func reason(_ row: MemoryRow) -> String {
        if row.isPinned { return "pinned by GCS.OBJECT PIN" }
        if row.isKept { return "kept: passes to the parent when its batch ends" }
        switch texts[row.batchStatus] {
        case "deferred": return "its batch ended, and a running batch depends on it"
        case "done": return "its batch was ended without being collected"
        case "ended": return "its batch has ended"
        default: return row.batch == 0 ? "the root batch never ends" : "its batch runs"
        }
    }

    /// Writes the titles and all rows.
    func write(_ rows: [MemoryRow], to writer: inout LineWriter) throws {
        let widths = widths(rows)
        try writer.line(line(columns.map(\.title), widths))
        for row in rows { try writer.line(line(cells(row), widths)) }
    }

    private func widths(_ rows: [MemoryRow]) -> [Int] {
        var widths = columns.map(\.title.count)
        let step = max(1, rows.count / Self.sampleCount)
        for position in Array(stride(from: 0, to: rows.count, by: step)) + [rows.count - 1]
        where position >= 0 {
            for (column, cell) in cells(rows[position]).enumerated() {
                widths[column] = max(widths[column], cell.utf8.count)
            }
        }
        return widths
    }

    private func line(_ cells: [String], _ widths: [Int]) -> String {
        var text = ""
        for (column, cell) in cells.enumerated() {
            let blanks = max(0, widths[column] - cell.utf8.count)
            if column > 0 { text += "  " }
            if columns[column].isRight { text += String(repeating: " ", count: blanks) }
            text += Self.printable(cell)
            if column < cells.count - 1, !columns[column].isRight {
                text += String(repeating: " ", count: blanks)
            }
        }
        return text
    }

    /// Call sites and names come from programs: what would move the cursor is shown as a question mark.
    private static func printable(_ text: String) -> String {
        guard text.utf8.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { return text }
        return String(
            decoding: text.utf8.map { $0 < 0x20 || $0 == 0x7f ? 0x3f : $0 }, as: UTF8.self)
    }
}
