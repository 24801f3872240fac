public import ControlStore

/// Why a command was refused; nothing was changed and the connection stays.
public enum CommandError: Error, Equatable, Sendable {
    /// Too few or too many words.
    case wrongArity
    /// A word where no such word may be.
    case syntax
    /// A word that is no whole number of 64 bits.
    case notAnInteger
    /// A number out of its range.
    case outOfRange(String)
    /// A word that is neither 20 bytes nor 40 hexadecimal digits.
    case notAnID(byteCount: Int)
    /// A word that is no node's id.
    case notANode
    /// A word that is no state of a task.
    case notAState
    /// A key of another type.
    case wrongType
    /// No such key.
    case noKey
    /// A stream id that is none.
    case notAStreamID
    /// The store's refusal.
    case store(StoreError)
    /// Anything else; the text starts with its code.
    case text(String)

    /// The error as the peer reads it, without the leading `-`.
    ///
    /// - Parameter command: the full name of the command that was refused, in small letters.
    public func text(for command: String) -> String {
        switch self {
        case .wrongArity: "ERR wrong number of arguments for '\(command)' command"
        case .syntax: "ERR syntax error"
        case .notAnInteger: "ERR value is not an integer or out of range"
        case .outOfRange(let text): "ERR \(text)"
        case .notAnID(let count):
            "ERR invalid id: expected 20 bytes or 40 hexadecimal digits, found \(count) bytes"
        case .notANode: "ERR invalid node id: expected 1 to 64 characters of A-Z a-z 0-9 . _ : -"
        case .notAState:
            "ERR invalid state: expected PENDING, RUNNING, FINISHED, FAILED, CANCELLED or LOST"
        case .wrongType: "WRONGTYPE Operation against a key holding the wrong kind of value"
        case .noKey: "ERR no such key"
        case .notAStreamID: "ERR Invalid stream ID specified as stream command argument"
        case .store(let error): error.text
        case .text(let text): text
        }
    }
}

extension StoreError {
    /// The error as the peer reads it.
    public var text: String {
        switch self {
        case .noBatch(let id): "NOBATCH no such batch \(id)"
        case .batchEnded(let id): "BATCHENDED batch \(id) has ended"
        case .batchExists(let id): "ERR batch \(id) already exists"
        case .rootBatch: "ERR batch 0 is the root, which never ends"
        case .invalidBatch: "ERR invalid batch id: expected 1 to 9223372036854775807"
        case .parentNotActive(let id): "ERR parent batch \(id) is not active"
        case .notOwned(let object, let owner, let named):
            "ERR object \(object) belongs to batch \(owner), not to batch \(named)"
        case .invalidDependency(let id, let other):
            "ERR batch \(id) cannot depend on batch \(other): it is itself or an ancestor"
        case .noTask(let id): "NOTASK no such task \(id)"
        case .notOnActor(let task, let actor): "ERR task \(task) is not on actor \(actor)"
        case .nameTooLong(let count): "ERR batch name too long: at most 1024 bytes, found \(count)"
        case .tooManyLocations(let count): "ERR too many locations: at most \(count) for an object"
        case .batchFull(let id):
            "OOM batch \(id) holds as many records as it can: at most 32 GiB, found 31 GiB or more"
        case .noNode: "NONODE no such node"
        case .acknowledgedTooMuch: "ERR the deletion id is newer than the log's newest entry"
        }
    }
}
