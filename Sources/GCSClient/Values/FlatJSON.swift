/// Reads the JSON of the server's notices: one object of words, whole numbers and lists of words.
///
/// Words without escapes, as ids and reasons are; anything else is refused. Not a general reader:
/// that one would need Foundation.
struct FlatJSON {
    /// The value of a field.
    enum Value: Equatable {
        case word(String)
        case number(Int64)
        case list([String])
    }

    private var rest: ArraySlice<UInt8>

    /// The fields of a text that is one object; `nil` for anything else.
    static func object(_ text: [UInt8]) -> [String: Value]? {
        var reader = FlatJSON(rest: text[...])
        guard let fields = reader.fields(), reader.next() == nil else { return nil }
        return fields
    }

    private mutating func fields() -> [String: Value]? {
        guard take("{") else { return nil }
        var fields: [String: Value] = [:]
        if take("}") { return fields }
        repeat {
            guard let name = word(), take(":"), let value = value() else { return nil }
            fields[name] = value
        } while take(",")
        return take("}") ? fields : nil
    }

    private mutating func value() -> Value? {
        if take("[") { return words().map { .list($0) } }
        if next() == UInt8(ascii: "\"") { return word().map { .word($0) } }
        let digits = rest.prefix { $0 == UInt8(ascii: "-") || (0x30...0x39).contains($0) }
        rest = rest.dropFirst(digits.count)
        return Int64(String(decoding: digits, as: UTF8.self)).map { .number($0) }
    }

    /// The words of a list after its opening bracket.
    private mutating func words() -> [String]? {
        if take("]") { return [] }
        var words: [String] = []
        repeat {
            guard let word = word() else { return nil }
            words.append(word)
        } while take(",")
        return take("]") ? words : nil
    }

    private mutating func word() -> String? {
        guard take("\"") else { return nil }
        let text = rest.prefix { $0 != UInt8(ascii: "\"") }
        rest = rest.dropFirst(text.count + 1)
        guard !text.contains(UInt8(ascii: "\\")) else { return nil }
        return String(decoding: text, as: UTF8.self)
    }

    /// The next byte that is no blank; it stays.
    private mutating func next() -> UInt8? {
        rest = rest.drop { $0 == 0x20 || (0x09...0x0d).contains($0) }
        return rest.first
    }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard next() == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }
}
