/// How a peer broke the wire; it gets the text, and its connection is closed.
///
/// The texts are Redis' own, so that clients recognise them.
public enum ProtocolError: Error, Equatable, Sendable {
    /// The count after `*` is no number or above the limit.
    case invalidWordCount
    /// A word did not start with `$`.
    case expectedBulk(found: UInt8)
    /// The count after `$` is no number, negative or above the limit.
    case invalidBulkLength
    /// A line without an end, longer than any count could be.
    case lineTooLong
    /// An inline command without an end, longer than the limit.
    case inlineTooLong
    /// An inline command with an open quotation.
    case unbalancedQuotes
    /// A request that outgrew the input limit.
    case requestTooLong

    /// The error as the peer reads it, without the leading `-` and the line end.
    public var text: String {
        switch self {
        case .invalidWordCount: "ERR Protocol error: invalid multibulk length"
        case .expectedBulk(let found):
            "ERR Protocol error: expected '$', got '\(Self.printable(found))'"
        case .invalidBulkLength: "ERR Protocol error: invalid bulk length"
        case .lineTooLong: "ERR Protocol error: too big count string"
        case .inlineTooLong: "ERR Protocol error: too big inline request"
        case .unbalancedQuotes: "ERR Protocol error: unbalanced quotes in request"
        case .requestTooLong: "ERR Protocol error: request exceeds client-query-buffer-limit"
        }
    }

    private static func printable(_ byte: UInt8) -> Character {
        byte >= 0x20 && byte < 0x7f ? Character(UnicodeScalar(byte)) : "?"
    }
}
