/// Numbers of bytes as Redis' settings write them: `100`, `1k` (1000), `1kb` (1024), `5mb`, `2gb`.
public enum ByteCount {
    private static let units: [(name: String, factor: Int)] = [
        ("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10),
        ("g", 1_000_000_000), ("m", 1_000_000), ("k", 1_000), ("b", 1), ("", 1),
    ]

    /// The number, or nil for other text, for negative numbers and for more than an `Int` holds.
    public static func parse(_ text: String) -> Int? {
        let digits = text.prefix { ("0"..."9").contains($0) }
        let suffix = text.dropFirst(digits.count).lowercased()
        guard let count = Int(digits),
            let unit = units.first(where: { $0.name == suffix })
        else { return nil }
        let (product, overflow) = count.multipliedReportingOverflow(by: unit.factor)
        return overflow ? nil : product
    }

    /// The number with the largest of `gb`, `mb` and `kb` that divides it, or alone.
    public static func shortest(_ count: Int) -> String {
        guard count > 0, let unit = units.prefix(3).first(where: { count % $0.factor == 0 })
        else { return String(count) }
        return "\(count / unit.factor)\(unit.name)"
    }
}
