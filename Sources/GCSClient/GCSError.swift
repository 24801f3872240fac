@_exported public import Identifiers
internal import RESP

/// Why a call did not do what it was asked to.
public enum GCSError: Error, Equatable, Sendable {
    /// The batch has ended: what would have been added to it would never be released.
    case batchEnded(BatchID)
    /// No batch of this id lives, and none is remembered.
    case noBatch(BatchID)
    /// The server refused, in its own words, the code first; or answered what nobody expected.
    case server(String)
    /// No answer; whether the server carried out the command is not known.
    case connection(String)
}

extension GCSError: CustomStringConvertible {
    /// One line for a person.
    public var description: String {
        switch self {
        case .batchEnded(let id): "batch \(id) has ended"
        case .noBatch(let id): "no such batch \(id)"
        case .server(let text), .connection(let text): text
        }
    }
}

extension GCSError {
    /// The server's error reply as an error.
    package init(code: String, text: String) {
        // "no such batch 42", "batch 42 has ended": the one number among the words.
        let number = text.split(separator: " ").lazy.compactMap { Int64($0) }.first
        switch (code, number.map { BatchID(rawValue: $0) }) {
        case ("BATCHENDED", let id?): self = .batchEnded(id)
        case ("NOBATCH", let id?): self = .noBatch(id)
        default: self = .server(text.isEmpty ? code : "\(code) \(text)")
        }
    }

    /// An answer of another shape than the contract promises.
    static func unexpected(_ reply: ControlReply, _ wanted: String) -> GCSError {
        .server("the server answered \(reply) where \(wanted) was expected")
    }
}
