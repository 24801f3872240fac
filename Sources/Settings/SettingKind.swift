/// How the text of a setting becomes a value, and back.
public struct SettingKind<Value: Sendable>: Sendable {
    /// The values that are accepted, in words, for the reference.
    let accepts: String
    /// Whether a value is several words.
    var hasManyWords = false
    /// The value of these words; the old value is given for settings that are changed in part.
    let parse: @Sendable ([String], Value) throws(SettingError.Reason) -> Value
    /// As `CONFIG GET` prints it.
    let text: @Sendable (Value) -> String
    /// As a settings file shows it, one element per line.
    let lines: @Sendable (Value) -> [String]
}

extension SettingKind {
    /// A value of exactly one word.
    init(
        accepts: String,
        parse: @escaping @Sendable (String) throws(SettingError.Reason) -> Value,
        text: @escaping @Sendable (Value) -> String,
        line: (@Sendable (Value) -> String)? = nil
    ) {
        self.accepts = accepts
        self.parse = { (words: [String], _: Value) throws(SettingError.Reason) in
            guard let word = words.first, words.count == 1 else { throw .wordCount }
            return try parse(word)
        }
        self.text = text
        lines = { [(line ?? text)($0)] }
    }
}

extension SettingKind where Value == Int {
    /// A whole number in decimal digits.
    public static func integer(_ range: ClosedRange<Int>) -> Self {
        SettingKind(
            accepts: describe(range),
            parse: { (word) throws(SettingError.Reason) in try parseInteger(word, range) },
            text: { String($0) })
    }

    /// File permissions, in octal digits.
    public static let permissions = SettingKind(
        accepts: "octal digits, 0 to 777",
        parse: { (word) throws(SettingError.Reason) in
            guard let value = Int(word, radix: 8) else {
                throw .value("argument couldn't be parsed as an octal number")
            }
            guard (0...0o777).contains(value) else {
                throw .value("argument must be between 0 and 777 inclusive")
            }
            return value
        },
        text: { String($0, radix: 8) })

    /// A number of bytes: digits, and then nothing or one of Redis' units `b k kb m mb g gb`.
    public static func byteCount(_ range: ClosedRange<Int>) -> Self {
        SettingKind(
            accepts: "bytes, " + describe(range, ByteCount.shortest),
            parse: { (word) throws(SettingError.Reason) in
                guard let value = ByteCount.parse(word) else {
                    throw .value("argument must be a memory value")
                }
                return try check(value, range)
            },
            text: { String($0) }, line: { ByteCount.shortest($0) })
    }
}

extension SettingKind where Value == Double {
    /// A part of a whole, with up to three digits after the point.
    public static let fraction = SettingKind(
        accepts: "0 to 1",
        parse: { (word) throws(SettingError.Reason) in
            guard let value = Double(word), word.utf8.allSatisfy({ $0 == 46 || 48...57 ~= $0 })
            else { throw .value("argument couldn't be parsed as a fraction") }
            guard (0...1).contains(value) else {
                throw .value("argument must be between 0 and 1 inclusive")
            }
            return value
        },
        text: { "\($0)" })
}

extension SettingKind where Value == Duration {
    /// A whole number of seconds.
    public static func seconds(_ range: ClosedRange<Int>) -> Self {
        SettingKind(
            accepts: "seconds, " + describe(range),
            parse: { (word) throws(SettingError.Reason) in
                .seconds(try parseInteger(word, range))
            },
            text: { String($0.components.seconds) })
    }

    /// A whole number of milliseconds.
    public static func milliseconds(_ range: ClosedRange<Int>) -> Self {
        SettingKind(
            accepts: "milliseconds, " + describe(range),
            parse: { (word) throws(SettingError.Reason) in
                .milliseconds(try parseInteger(word, range))
            },
            text: {
                let (seconds, attoseconds) = $0.components
                return String(seconds * 1_000 + attoseconds / 1_000_000_000_000_000)
            })
    }
}

extension SettingKind where Value == Bool {
    /// `yes` or `no`.
    public static let yesNo = SettingKind(
        accepts: "`yes` or `no`",
        parse: { (word) throws(SettingError.Reason) in
            switch word.lowercased() {
            case "yes": return true
            case "no": return false
            default: throw .value("argument must be 'yes' or 'no'")
            }
        },
        text: { $0 ? "yes" : "no" })
}

extension SettingKind
where Value: CaseIterable & RawRepresentable, Value.RawValue == String {
    /// One of the enumeration's names, in any case of letters.
    public static var choice: Self {
        let names = Value.allCases.map(\.rawValue)
        return SettingKind(
            accepts: names.map { "`\($0)`" }.joined(separator: ", "),
            parse: { (word) throws(SettingError.Reason) in
                guard let value = Value(rawValue: word.lowercased()) else {
                    let list = names.joined(separator: ", ")
                    throw .value("argument(s) must be one of the following: \(list)")
                }
                return value
            },
            text: { $0.rawValue })
    }
}

extension SettingKind where Value == String {
    /// Any text, the empty one too.
    public static let text = text("text") { _ in nil }

    /// Text of a certain shape; `refuse` says what is wrong with a value, or nothing.
    public static func text(
        _ accepts: String, refuse: @escaping @Sendable (String) -> String?
    ) -> Self {
        SettingKind(
            accepts: accepts,
            parse: { (word) throws(SettingError.Reason) in
                if let reason = refuse(word) { throw .value(reason) }
                return word
            },
            text: { $0 }, line: { SettingWords.quoted($0) })
    }
}

extension SettingKind where Value == [String] {
    /// Words separated by spaces; none at all is written `""`.
    public static let list = SettingKind(
        accepts: "words separated by spaces", hasManyWords: true,
        parse: { (words, _) throws(SettingError.Reason) in words.filter { !$0.isEmpty } },
        text: { $0.joined(separator: " ") },
        lines: { words in
            [words.isEmpty ? "\"\"" : words.map(SettingWords.plain).joined(separator: " ")]
        })
}

private func describe(
    _ range: ClosedRange<Int>, _ text: (Int) -> String = { String($0) }
) -> String {
    let low = text(range.lowerBound)
    if range.lowerBound == range.upperBound { return low }
    return range.upperBound == .max ? "\(low) or more" : "\(low) to \(text(range.upperBound))"
}

/// Redis takes no sign `+`, no leading zeros and no spaces; nor do we.
private func parseInteger(
    _ word: String, _ range: ClosedRange<Int>
) throws(SettingError.Reason) -> Int {
    guard let value = Int(word), String(value) == word else {
        throw .value("argument couldn't be parsed into an integer")
    }
    return try check(value, range)
}

private func check(_ value: Int, _ range: ClosedRange<Int>) throws(SettingError.Reason) -> Int {
    guard range.contains(value) else {
        throw .value(
            "argument must be between \(range.lowerBound) and \(range.upperBound) inclusive")
    }
    return value
}
