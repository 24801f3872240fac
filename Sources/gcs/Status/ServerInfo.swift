/// The fields of INFO, by name.
struct ServerInfo {
    private let fields: [Substring: Substring]

    /// Reads INFO's text: `name:value` lines, blank lines and `# Section` lines.
    init(_ text: String) {
        var fields: [Substring: Substring] = [:]
        for line in text.split(whereSeparator: \.isNewline) where !line.hasPrefix("#") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            fields[line[..<colon]] = line[line.index(after: colon)...]
        }
        self.fields = fields
    }

    /// The text of the first field that is there.
    func text(_ names: Substring...) -> String? {
        for name in names {
            if let value = fields[name] { return String(value) }
        }
        return nil
    }

    /// A number; `nil` for a field that is absent or no number.
    func number(_ name: Substring) -> Int64? { fields[name].flatMap { Int64($0) } }
}
