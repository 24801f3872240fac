public import ControlStore
internal import Identifiers
public import RESP

/// One command being carried out: its words, its connection, and the server's state.
///
/// Lives on the stack; reaches everything through pointers, so that a command counts no references.
public struct Call: ~Copyable {
    /// The server's state.
    public let state: UnsafeMutablePointer<ServerState>
    /// The connection that asks.
    public let session: UnsafeMutablePointer<Session>
    /// The words of the request; the next to read is the first argument.
    public var words: Words

    /// A call for the words of a request.
    @inline(__always)
    public init(
        state: UnsafeMutablePointer<ServerState>, session: UnsafeMutablePointer<Session>,
        words: Words
    ) {
        self.state = state
        self.session = session
        self.words = words
    }

    /// Where the reply is written.
    public var reply: ReplyWriter {
        @inline(__always) _read { yield state.pointee.output }
        @inline(__always) nonmutating _modify { yield &state.pointee.output }
    }

    /// The tables.
    public var store: ControlStore {
        @inline(__always) _read { yield state.pointee.store }
        @inline(__always) nonmutating _modify { yield &state.pointee.store }
    }
}

extension Call {
    /// Reads any word.
    @inline(__always)
    mutating func word() throws(CommandError) -> Word {
        guard let word = words.next() else { throw .wrongArity }
        return word
    }

    /// Reads a whole number.
    mutating func integer() throws(CommandError) -> Int64 {
        guard let value = try word().integer else { throw .notAnInteger }
        return value
    }

    /// Reads a count of what to return at most.
    mutating func count() throws(CommandError) -> Int {
        let value = try integer()
        guard value > 0 else { throw .syntax }
        return Int(min(value, 1 << 40))
    }

    /// Reads a cursor.
    mutating func cursor() throws(CommandError) -> UInt64 {
        let word = try word()
        guard let value = UInt64(word.text) else { throw .text("ERR invalid cursor") }
        return value
    }

    /// Reads a task's, object's or actor's id.
    @inline(__always)
    mutating func id() throws(CommandError) -> RecordID { try Self.id(try word()) }

    /// A word as an id: 20 bytes, or 40 hexadecimal digits.
    @inline(__always)
    static func id(_ word: Word) throws(CommandError) -> RecordID {
        if word.count == RecordID.byteCount { return RecordID(loading: word.start) }
        guard word.count == 2 * RecordID.byteCount, let id = RecordID(hexDigits: word.start) else {
            throw .notAnID(byteCount: word.count)
        }
        return id
    }

    /// Reads the ids to the end of the request; at least one.
    mutating func ids() throws(CommandError) -> [RecordID] {
        guard words.left > 0 else { throw .wrongArity }
        var ids: [RecordID] = []
        ids.reserveCapacity(words.left)
        while words.left > 0 { ids.append(try id()) }
        return ids
    }

    /// Reads a batch.
    mutating func batch() throws(CommandError) -> BatchID { BatchID(rawValue: try integer()) }

    /// Reads a node's id.
    mutating func node() throws(CommandError) -> UnsafeBufferPointer<UInt8> {
        let word = try word()
        let name = UnsafeBufferPointer(start: word.start, count: word.count)
        guard Node.isValid(name) else { throw .notANode }
        return name
    }

    /// Reads an option's literal word, if it comes next.
    mutating func option(_ literal: StaticString) -> Bool {
        guard words.left > 0, words[words.position].matches(literal) else { return false }
        words.position += 1
        return true
    }

    /// Refuses words that are left over.
    @inline(__always)
    func end() throws(CommandError) {
        guard words.left == 0 else { throw .syntax }
    }

    /// Carries out what the store may refuse.
    @inline(__always)
    func attempt<Value>(
        _ body: () throws(StoreError) -> Value
    ) throws(CommandError) -> Value {
        do throws(StoreError) { return try body() } catch { throw .store(error) }
    }
}
