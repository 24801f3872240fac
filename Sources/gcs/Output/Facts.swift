/// Names and values below each other, the values in one column.
struct Facts {
    private var rows: [(name: String, value: String)] = []

    /// Adds a line below.
    mutating func append(_ name: String, _ value: String) { rows.append((name, value)) }

    /// The lines, in the order in which they were added.
    var lines: [String] {
        let width = rows.map(\.name.count).max() ?? 0
        return rows.map { row in
            row.name + String(repeating: " ", count: width - row.name.count + 2) + row.value
        }
    }
}
