/// How a peer broke the protocol; its connection cannot go on.
public enum WireError: Error, Equatable, Sendable {
    /// The header's first number is not 0.
    case version(found: Int64)
    /// The header's second number is no message, or none that fits here.
    case messageType(found: Int64)
    /// The header's third number is negative or above the limit.
    case bodyByteCount(found: Int64, limit: Int)
    /// An offset or a length inside the body points outside it.
    case outOfBounds
    /// A field that the message needs is absent.
    case missingField(StaticString)
    /// An id is not 20 bytes.
    case idByteCount(found: Int)
    /// A digest is not 8 bytes.
    case digestByteCount(found: Int)
    /// A list has more entries than the limit.
    case entryCount(found: Int, limit: Int)
    /// Lists that belong together, or a list and its announced count, differ.
    case entryCountMismatch(expected: Int, found: Int)
    /// A number that is no store error.
    case errorCode(found: Int32)

    /// Compares case and numbers; field names by their text.
    public static func == (left: WireError, right: WireError) -> Bool {
        left.description == right.description
    }
}

extension WireError: CustomStringConvertible {
    /// What was expected and what was found.
    public var description: String {
        switch self {
        case .version(let found): "protocol version must be 0, found \(found)"
        case .messageType(let found): "unexpected message type \(found)"
        case .bodyByteCount(let found, let limit):
            "message length must be 0 to \(limit) bytes, found \(found)"
        case .outOfBounds: "message points outside its own bytes"
        case .missingField(let name): "message lacks its \(name)"
        case .idByteCount(let found): "object id must be 20 bytes, found \(found)"
        case .digestByteCount(let found): "digest must be 8 bytes, found \(found)"
        case .entryCount(let found, let limit):
            "message must have at most \(limit) entries, found \(found)"
        case .entryCountMismatch(let expected, let found):
            "message lists must be equally long, found \(expected) and \(found) entries"
        case .errorCode(let found): "error code must be 0 to 5, found \(found)"
        }
    }
}
