/// Numbers as a person reads them.
enum Units {
    /// A byte count with the unit that leaves one to four digits: `0 B`, `1.5 KiB`, `256 MiB`.
    static func bytes(_ count: Int64) -> String {
        let magnitude = count.magnitude
        guard magnitude >= 1024 else { return "\(count) B" }
        let names = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        var value = Double(magnitude) / 1024
        var index = 0
        // 1023.95 would be written 1024.0.
        while value >= 1023.95, index < names.count - 1 {
            value /= 1024
            index += 1
        }
        let sign = count < 0 ? "-" : ""
        return "\(sign)\(decimal(value, digits: value < 100 ? 1 : 0)) \(names[index])"
    }

    /// A count with its digits in groups of three: `1,000,000`.
    static func count(_ value: Int64) -> String {
        let digits = String(value.magnitude)
        var text = ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index).isMultiple(of: 3) { text += "," }
            text.append(digit)
        }
        return value < 0 ? "-" + text : text
    }

    /// A length of time in its two largest units: `850ms`, `12s`, `3m12s`, `2h05m`, `4d03h`.
    static func age(milliseconds: Int64) -> String {
        guard milliseconds >= 1000 else { return "\(max(0, milliseconds))ms" }
        let seconds = milliseconds / 1000
        switch seconds {
        case ..<60: return "\(seconds)s"
        case ..<3600: return "\(seconds / 60)m\(padded(seconds % 60))s"
        case ..<86400: return "\(seconds / 3600)h\(padded(seconds / 60 % 60))m"
        default: return "\(seconds / 86400)d\(padded(seconds / 3600 % 24))h"
        }
    }

    /// A short length of time with the unit that suits it: `85 us`, `1.2 ms`, `2.0 s`.
    static func latency(nanoseconds: UInt64) -> String {
        let microseconds = Double(nanoseconds) / 1000
        switch microseconds {
        case ..<1000: return "\(decimal(microseconds, digits: 0)) us"
        case ..<1_000_000: return "\(decimal(microseconds / 1000, digits: 1)) ms"
        default: return "\(decimal(microseconds / 1_000_000, digits: 1)) s"
        }
    }

    /// A share in per cent: `0 %`, `0.4 %`, `97 %`, and `100 %` only for the whole.
    static func percent(_ part: Int64, of whole: Int64) -> String {
        guard whole > 0, part > 0 else { return "0 %" }
        guard part < whole else { return "100 %" }
        let share = Double(part) / Double(whole) * 100
        if share < 0.1 { return "< 0.1 %" }
        return share < 9.95
            ? "\(decimal(share, digits: 1)) %" : "\(decimal(min(share, 99), digits: 0)) %"
    }

    /// Rounds to `digits` (0 or 1) places.
    static func decimal(_ value: Double, digits: Int) -> String {
        guard digits > 0 else { return String(Int64(value.rounded())) }
        let tenths = Int64((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    private static func padded(_ value: Int64) -> String { value < 10 ? "0\(value)" : "\(value)" }
}
