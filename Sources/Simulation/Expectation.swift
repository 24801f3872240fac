internal import Identifiers
internal import RESP

/// What the server has to answer.
struct Expectation: CustomStringConvertible {
    /// In words, for a failure.
    var description: String
    var allows: (ControlReply) -> Bool

    static var anything: Expectation { Expectation(description: "anything") { _ in true } }

    static var null: Expectation { Expectation(description: "nil") { $0 == .null } }

    static func number(_ number: some BinaryInteger) -> Expectation {
        Expectation(description: ":\(number)") { $0 == .integer(Int64(number)) }
    }

    static func status(_ text: String) -> Expectation {
        Expectation(description: "+\(text)") { $0 == .status(text) }
    }

    static func error(_ code: String) -> Expectation {
        Expectation(description: "-\(code) ...") { reply in
            if case .error(code, _) = reply { true } else { false }
        }
    }

    /// A set, in any order.
    static func members(_ members: Set<String>) -> Expectation {
        Expectation(description: "\(members.sorted().map(shown))") { reply in
            guard let elements = reply.elements else { return false }
            return elements.count == members.count
                && Set(elements.compactMap(\.text)) == members
        }
    }

    /// A map with at least these fields.
    static func fields(_ fields: [(name: String, text: String)]) -> Expectation {
        let text = fields.map { "\($0.name) \($0.text)" }.joined(separator: " ")
        return Expectation(description: "[\(text)]") { reply in
            fields.allSatisfy { name, text in reply[field: name].map { plain($0) } == text }
        }
    }
}

/// A value of a map as text; of an object's locations only the nodes.
private func plain(_ reply: ControlReply) -> String {
    guard let elements = reply.elements else {
        return reply == .null ? "nil" : reply.text ?? reply.number.map { "\($0)" } ?? "\(reply)"
    }
    let words = elements.map { $0[field: "node"]?.text ?? plain($0) }
    return "[" + words.joined(separator: " ") + "]"
}

// MARK: - For the trace

/// A request, ids shortened.
func shown(_ words: [String]) -> String { words.map { shown($0) }.joined(separator: " ") }

/// A word; an id shortened.
func shown(_ word: String) -> String {
    guard word.utf8.count >= 40, let id = RecordID(hex: String(word.suffix(40))) else {
        return word
    }
    return word.dropLast(40) + id.short
}

/// A reply on one line; of a long one the beginning.
func shown(_ reply: ControlReply) -> String {
    let whole = line(reply)
    return whole.count > 300 ? "\(whole.prefix(300))..." : whole
}

private func line(_ reply: ControlReply) -> String {
    switch reply {
    case .null: "nil"
    case .integer(let value): ":\(value)"
    case .bytes(let bytes):
        bytes.count > 60 ? "(\(bytes.count) bytes)" : shown(String(decoding: bytes, as: UTF8.self))
    case .status(let text): "+\(text)"
    case .error(let code, let text):
        "-\(code) " + shown(text.split(separator: " ").map(String.init))
    case .array(let elements): "[" + elements.map { line($0) }.joined(separator: " ") + "]"
    }
}

extension RecordID {
    /// Orders by the bytes.
    func isBefore(_ other: RecordID) -> Bool {
        (batch, unique, index) < (other.batch, other.unique, other.index)
    }

    /// Short, for traces: `batch.unique.index`.
    var short: String { "\(batch.rawValue).\(unique).\(index)" }
}
