public import ControlStore
public import Identifiers
public import RESP

/// What a key of the key space names.
public enum Key: Equatable {
    /// `TASK:`, `OBJECT:` or `ACTOR:` and 40 hexadecimal digits.
    case record(RecordID, RecordKind)
    /// `GC:<batch>` or `GC:$<batch>`.
    case batch(BatchID)
    /// `NODE:<id>`.
    case node([UInt8])
    /// `gc:log`.
    case log
    /// Nothing that exists.
    case other

    /// Reads a key.
    public init(_ word: Word) {
        if let id = Self.id(word, after: "TASK:") {
            self = .record(id, .task)
        } else if let id = Self.id(word, after: "OBJECT:") {
            self = .record(id, .object)
        } else if let id = Self.id(word, after: "ACTOR:") {
            self = .record(id, .actor)
        } else if let rest = Self.rest(of: word, after: "GC:") {
            let isMarked = rest.count > 0 && rest.start[0] == UInt8(ascii: "$")
            let digits = isMarked ? Word(start: rest.start + 1, count: rest.count - 1) : rest
            self = digits.integer.map { .batch(BatchID(rawValue: $0)) } ?? .other
        } else if let rest = Self.rest(of: word, after: "NODE:") {
            self = .node(rest.bytes)
        } else if word.count == 6, Self.rest(of: word, after: "gc:log") != nil {
            self = .log
        } else {
            self = .other
        }
    }

    private static func rest(of word: Word, after prefix: StaticString) -> Word? {
        let count = prefix.utf8CodeUnitCount
        guard word.count >= count else { return nil }
        for position in 0..<count where word.start[position] != prefix.utf8Start[position] {
            return nil
        }
        return Word(start: word.start + count, count: word.count - count)
    }

    private static func id(_ word: Word, after prefix: StaticString) -> RecordID? {
        guard word.count == prefix.utf8CodeUnitCount + 40, let rest = rest(of: word, after: prefix)
        else {
            return nil
        }
        return RecordID(hexDigits: rest.start)
    }
}

extension RecordKind {
    /// What the keys of such records start with.
    var prefix: StaticString {
        switch self {
        case .task: "TASK:"
        case .object: "OBJECT:"
        case .actor: "ACTOR:"
        case .need: preconditionFailure("a hidden record that is told")
        }
    }
}

extension ScannedKey {
    /// The key's name.
    var name: [UInt8] {
        switch self {
        case .batch(let id): return Array("GC:\(id)".utf8)
        case .record(let id, let kind): return Array("\(kind.prefix)\(id)".utf8)
        case .node(let name): return Array("NODE:".utf8) + name
        case .log: return Array("gc:log".utf8)
        }
    }
}

extension ServerState {
    /// Whether a key exists.
    mutating func exists(_ key: Key) -> Bool {
        switch key {
        case .record(let id, let kind): store.exists(id, kind)
        case .batch(let id): store.isAlive(id)
        case .node(let name): name.withUnsafeBufferPointer { store.node($0) } != nil
        case .log: true
        case .other: false
        }
    }

    /// A key's type, in the word of TYPE.
    mutating func type(of key: Key) -> StaticString {
        guard exists(key) else { return "none" }
        return switch key {
        case .record, .node: "hash"
        case .batch: "set"
        case .log: "stream"
        case .other: "none"
        }
    }

    /// The fields of a record or node as a hash; `nil` when there is none.
    mutating func fields(of key: Key) throws(CommandError) -> [(name: [UInt8], value: [UInt8])]? {
        switch key {
        case .record(let id, .task): return taskFields(id)
        case .record(let id, .object): return objectFields(id)
        case .record(let id, .actor): return actorFields(id)
        case .node(let name): return name.withUnsafeBufferPointer { store.node($0) }?.shownFields
        case .batch(let id):
            guard store.isAlive(id) else { return nil }
            throw .wrongType
        case .log: throw .wrongType
        case .record(_, .need), .other: return nil
        }
    }

    private mutating func taskFields(_ id: RecordID) -> [(name: [UInt8], value: [UInt8])]? {
        guard let (owner, task) = store.task(id) else { return nil }
        let arguments = (0..<task.argumentCount).map { task.argument($0).description }
        return [
            field("id", "\(id)".utf8), field("batch", "\(owner)".utf8),
            field("state", task.state.word.description.utf8), field("spec", task.specification),
            field("actor", (task.actor?.description ?? "").utf8),
            field("args", arguments.joined(separator: ",").utf8),
            field("added-ms", "\(task.addedAt)".utf8),
        ]
    }

    private mutating func objectFields(_ id: RecordID) -> [(name: [UInt8], value: [UInt8])]? {
        guard let object = store.object(id) else { return nil }
        let locations = object.locations.map { location in
            String(decoding: location.node, as: UTF8.self)
                + (location.isSecondary ? "=secondary" : "")
        }
        return [
            field("id", "\(id)".utf8), field("batch", "\(object.owner)".utf8),
            field("bytes", "\(object.size)".utf8),
            field("pinned", (object.isPinned ? "1" : "0").utf8),
            field("kept", (object.isKept ? "1" : "0").utf8),
            field("locations", locations.joined(separator: ",").utf8),
            field("references", "\(object.referenceCount)".utf8),
        ]
    }

    private mutating func actorFields(_ id: RecordID) -> [(name: [UInt8], value: [UInt8])]? {
        guard let (owner, actor) = store.actor(id) else { return nil }
        return [
            field("id", "\(id)".utf8), field("batch", "\(owner)".utf8),
            field("tasks", "\(actor.taskCount)".utf8), field("last-task", "\(actor.lastTask)".utf8),
            field("added-ms", "\(actor.addedAt)".utf8),
        ]
    }

    private func field(
        _ name: String, _ value: some Sequence<UInt8>
    ) -> (name: [UInt8], value: [UInt8]) {
        (Array(name.utf8), Array(value))
    }
}
