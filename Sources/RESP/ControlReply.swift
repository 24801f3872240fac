/// A RESP2 reply as a client sees it; what the asynchronous and the blocking client both return.
public enum ControlReply: Equatable, Sendable {
    /// A null bulk string or a null array.
    case null
    /// `:<number>`.
    case integer(Int64)
    /// A bulk string; any bytes.
    case bytes([UInt8])
    /// `+<text>`.
    case status(String)
    /// `-<CODE> <text>`; the code is the first word (`ERR`, `BATCHENDED`, `NOAUTH` ...).
    case error(code: String, text: String)
    /// An array; a map is a flat array of names and values in turn.
    case array([ControlReply])

    /// An error from the server's whole line, without the leading minus.
    public init(errorLine line: String) {
        let parts = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
        self = .error(
            code: parts.first.map(String.init) ?? "",
            text: parts.count > 1 ? String(parts[1]) : "")
    }
}

extension ControlReply {
    /// A bulk string or a status as text (ill-formed UTF-8 repaired); `nil` for anything else.
    public var text: String? {
        switch self {
        case .bytes(let bytes): String(decoding: bytes, as: UTF8.self)
        case .status(let text): text
        case .null, .integer, .error, .array: nil
        }
    }

    /// A number: an integer reply, or a decimal number in a string; `nil` for anything else.
    public var number: Int64? {
        if case .integer(let value) = self { return value }
        return text.flatMap { Int64($0) }
    }

    /// The elements of an array; `nil` for anything else.
    public var elements: [ControlReply]? {
        if case .array(let elements) = self { return elements }
        return nil
    }

    /// `CODE text` of an error; `nil` for anything else.
    public var errorLine: String? {
        guard case .error(let code, let text) = self else { return nil }
        return text.isEmpty ? code : "\(code) \(text)"
    }

    /// The value after `name` in a flat array of names and values; `nil` when there is none.
    public subscript(field name: String) -> ControlReply? {
        guard let elements else { return nil }
        for index in stride(from: 0, to: elements.count - 1, by: 2)
        where elements[index].text == name {
            return elements[index + 1]
        }
        return nil
    }
}
