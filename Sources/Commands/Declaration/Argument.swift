/// One argument of a command, as COMMAND DOCS and the reference tell of it.
public struct Argument: Sendable {
    /// What an argument is, in the words of COMMAND DOCS.
    public enum Kind: String, Sendable {
        /// Any bytes.
        case string
        /// A whole number.
        case integer
        /// A number of seconds or milliseconds since 1970.
        case unixTime = "unix-time"
        /// A key.
        case key
        /// A pattern with `*`, `?` and `[...]`.
        case pattern
        /// A literal word and nothing else.
        case pureToken = "pure-token"
        /// One of several.
        case oneof
        /// Several that belong together.
        case block
    }

    /// Its name.
    public let name: String
    /// What it is.
    public let kind: Kind
    /// The literal word before it, or that it is.
    public var token: String?
    /// Whether it may be left out.
    public var isOptional = false
    /// Whether it may be repeated.
    public var isMultiple = false
    /// The parts of a block, the choices of a `oneof`.
    public var parts: [Argument] = []

    /// Any bytes.
    public static func string(_ name: String) -> Argument { Argument(name: name, kind: .string) }
    /// A whole number.
    public static func integer(_ name: String) -> Argument { Argument(name: name, kind: .integer) }
    /// A key.
    public static func key(_ name: String = "key") -> Argument { Argument(name: name, kind: .key) }
    /// A pattern.
    public static func pattern(_ name: String = "pattern") -> Argument {
        Argument(name: name, kind: .pattern)
    }
    /// A literal word.
    public static func flag(_ word: String) -> Argument {
        Argument(name: word.lowercased(), kind: .pureToken, token: word)
    }
    /// One of several.
    public static func choice(_ name: String, _ choices: Argument...) -> Argument {
        Argument(name: name, kind: .oneof, parts: choices)
    }
    /// One of several literal words.
    public static func words(_ name: String, _ words: [String]) -> Argument {
        Argument(name: name, kind: .oneof, parts: words.map { .flag($0) })
    }
    /// Several that belong together.
    public static func block(_ name: String, _ parts: Argument...) -> Argument {
        Argument(name: name, kind: .block, parts: parts)
    }

    /// The same, after a literal word.
    public func after(_ word: String) -> Argument { with { $0.token = word } }
    /// The same, but it may be left out.
    public var optional: Argument { with { $0.isOptional = true } }
    /// The same, one or more times.
    public var many: Argument { with { $0.isMultiple = true } }

    private func with(_ change: (inout Argument) -> Void) -> Argument {
        var copy = self
        change(&copy)
        return copy
    }

    /// Words of a request that it takes at least.
    var wordCountMin: Int {
        guard !isOptional else { return 0 }
        let own =
            switch kind {
            case .pureToken: 0
            case .oneof: parts.map(\.wordCountMin).min() ?? 0
            case .block: parts.map(\.wordCountMin).reduce(0, +)
            default: 1
            }
        return own + (token == nil ? 0 : 1)
    }

    /// Whether the number of its words varies.
    var isOpen: Bool { isOptional || isMultiple || parts.contains(where: \.isOpen) }

    /// How to write it, for people.
    public var syntax: String {
        let inner =
            switch kind {
            case .pureToken: token ?? name
            case .oneof: parts.map(\.syntax).joined(separator: " | ")
            case .block: parts.map(\.syntax).joined(separator: " ")
            default: "<\(name)>"
            }
        let word = kind == .pureToken || token == nil ? inner : "\(token ?? "") \(inner)"
        let repeated = isMultiple ? "\(word) [\(inner) ...]" : word
        if isOptional { return "[\(repeated)]" }
        return kind == .oneof && token == nil ? "<\(repeated)>" : repeated
    }
}
