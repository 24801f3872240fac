/// Rows under headings, each column as wide as its widest cell.
struct Table {
    /// Which edge the cells of a column share.
    enum Alignment { case left, right }

    /// A heading and how its cells stand.
    struct Column {
        var title: String
        var alignment = Alignment.left
    }

    private let columns: [Column]
    private var rows: [[String]] = []

    init(_ columns: Column...) { self.columns = columns }

    /// Adds a row below; it has a cell for each column.
    mutating func append(_ cells: String...) {
        precondition(cells.count == columns.count, "a row needs a cell for each column")
        rows.append(cells)
    }

    /// The lines, headings first, without trailing blanks.
    var lines: [String] {
        let titles = columns.map(\.title)
        let widths = columns.indices.map { index in
            ([titles] + rows).map { $0[index].count }.max() ?? 0
        }
        return ([titles] + rows).map { cells in line(cells, widths: widths) }
    }

    private func line(_ cells: [String], widths: [Int]) -> String {
        var parts: [String] = []
        for (index, cell) in cells.enumerated() {
            let blanks = String(repeating: " ", count: widths[index] - cell.count)
            parts.append(columns[index].alignment == .left ? cell + blanks : blanks + cell)
        }
        var text = parts.joined(separator: "  ")
        while text.hasSuffix(" ") { text.removeLast() }
        return text
    }
}
