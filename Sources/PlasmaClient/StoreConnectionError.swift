public import PlasmaProtocol

/// Why there is no connection to the store.
public enum StoreConnectionError: Error, Equatable, Sendable {
    /// A socket's path does not fit into an address.
    case pathByteCount(found: Int, limit: Int)
    /// A system call failed with this `errno`.
    case system(call: String, code: Int32)
    /// The store broke the protocol.
    case wire(WireError)
    /// The store answered with a message that was not asked for; `nil` when none was.
    case unexpectedReply(expected: MessageType?, found: MessageType)
    /// The store closed the connection.
    case closed
    /// The store left a request unanswered.
    case silent(Duration)
}

extension StoreConnectionError: CustomStringConvertible {
    /// The error in words.
    public var description: String {
        switch self {
        case .pathByteCount(let found, let limit):
            "the socket's path is \(found) bytes long, the limit is \(limit)"
        case .system(let call, let code): "\(call): \(systemReason(code))"
        case .wire(let error): "\(error)"
        case .unexpectedReply(let expected, let found):
            "expected \(expected.map { "\($0)" } ?? "no message"), found \(found)"
        case .closed: "the store closed the connection"
        case .silent(let duration): "no answer within \(duration)"
        }
    }
}
