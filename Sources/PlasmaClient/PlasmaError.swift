public import PlasmaProtocol

/// Why a call on a `BlockingPlasmaConnection` failed.
public enum PlasmaError: Error, Equatable, Sendable {
    /// No store listens on the socket.
    case unreachable(path: String, reason: String)
    /// The connection broke; it is of no use any more.
    case lost(path: String, reason: String)
    /// The store sent what it must not send; the connection is of no use any more.
    case malformed(WireError)
    /// The store refused, and everything is as before.
    case refused(StoreError)
}

extension PlasmaError: CustomStringConvertible {
    /// One line for a person.
    public var description: String {
        switch self {
        case .unreachable(let path, let reason): "cannot connect to the store \(path): \(reason)"
        case .lost(let path, let reason): "lost the connection to the store \(path): \(reason)"
        case .malformed(let error): "the store sent a malformed message: \(error)"
        case .refused(let error): "the store refused: \(error)"
        }
    }
}
