/// The words of one line of a settings file, quoted as Redis quotes them.
///
/// In double quotes `\n \r \t \b \a`, `\xHH` and a backslash before any other character are
/// understood; in single quotes only `\'`.
public enum SettingWords {
    /// Splits a line.
    ///
    /// - Throws: `.quotes` when a quote is not closed, or is followed by more than a space.
    public static func split(_ line: String) throws(SettingError.Reason) -> [String] {
        var reader = WordReader(bytes: Array(line.utf8))
        var words: [String] = []
        while let word = try reader.next() { words.append(word) }
        return words
    }

    /// The text in double quotes, with what needs it escaped.
    public static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\", "\"": result += "\\\(scalar)"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case "\u{07}": result += "\\a"
            case "\u{08}": result += "\\b"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                result += "\\x" + hexDigits(UInt8(scalar.value))
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// The text itself where that reads back as the same one word, else in double quotes.
    public static func plain(_ text: String) -> String {
        let needsQuotes = text.utf8.contains {
            $0 <= 0x20 || $0 == 0x7F || $0 == 0x22 || $0 == 0x27
        }
        return text.isEmpty || needsQuotes || text.hasPrefix("#") ? quoted(text) : text
    }

    private static func hexDigits(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16)
        return byte < 16 ? "0" + digits : digits
    }
}

private struct WordReader {
    let bytes: [UInt8]
    var index = 0

    private static let doubleQuote = UInt8(ascii: "\"")
    private static let singleQuote = UInt8(ascii: "'")
    private static let backslash = UInt8(ascii: "\\")

    private var current: UInt8? { index < bytes.count ? bytes[index] : nil }

    mutating func next() throws(SettingError.Reason) -> String? {
        while let byte = current, isSpace(byte) { index += 1 }
        guard current != nil else { return nil }
        var word: [UInt8] = []
        while let byte = current, !isSpace(byte) {
            index += 1
            if byte == Self.doubleQuote {
                try readDoubleQuoted(into: &word)
                break
            } else if byte == Self.singleQuote {
                try readSingleQuoted(into: &word)
                break
            }
            word.append(byte)
        }
        return String(decoding: word, as: UTF8.self)
    }

    private mutating func readDoubleQuoted(into word: inout [UInt8]) throws(SettingError.Reason) {
        while let byte = current {
            index += 1
            switch byte {
            case Self.doubleQuote: return try endQuote()
            case Self.backslash: word.append(try readEscape())
            default: word.append(byte)
            }
        }
        throw .quotes
    }

    private mutating func readSingleQuoted(into word: inout [UInt8]) throws(SettingError.Reason) {
        while let byte = current {
            index += 1
            if byte == Self.singleQuote { return try endQuote() }
            if byte == Self.backslash && current == Self.singleQuote {
                word.append(Self.singleQuote)
                index += 1
            } else {
                word.append(byte)
            }
        }
        throw .quotes
    }

    private mutating func readEscape() throws(SettingError.Reason) -> UInt8 {
        guard let byte = current else { throw .quotes }
        index += 1
        switch byte {
        case UInt8(ascii: "n"): return 0x0A
        case UInt8(ascii: "r"): return 0x0D
        case UInt8(ascii: "t"): return 0x09
        case UInt8(ascii: "b"): return 0x08
        case UInt8(ascii: "a"): return 0x07
        case UInt8(ascii: "x"):
            guard index + 2 <= bytes.count,
                let value = UInt8(
                    String(decoding: bytes[index..<index + 2], as: UTF8.self), radix: 16)
            else { return byte }
            index += 2
            return value
        default: return byte
        }
    }

    private func endQuote() throws(SettingError.Reason) {
        if let byte = current, !isSpace(byte) { throw .quotes }
    }

    private func isSpace(_ byte: UInt8) -> Bool {
        byte == 0x20 || (0x09...0x0D).contains(byte) || byte == 0
    }
}
