public import Identifiers

/// A message whose body is one object id: Abort, its reply, Release and Contains.
public struct IDMessage: Equatable, Sendable {
    /// The object.
    public var id: RecordID

    private static let layout = TableLayout(8, 1, [4, 0, 0, 0, 0, 0, 0, 0])

    /// A message about one object.
    public init(id: RecordID) { self.id = id }

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        id = try FlatTable(body).id(0)
    }

    /// Appends the frame.
    public func write(_ type: MessageType, to buffer: inout ByteBuffer) {
        let size = Self.layout.rootByteCount + FlatCursor.idByteCount
        buffer.appendFrame(type, bodyByteCount: size) { cursor in
            let table = cursor.root(Self.layout)
            cursor.id(id, from: table + 4)
        }
    }
}

/// A message without content: Connect, List, Subscribe, GetDebugString, Disconnect, RefreshLRU's
/// reply.
public enum EmptyMessage {
    private static let layout = TableLayout(4, 0, [0, 0, 0, 0, 0, 0, 0, 0])

    /// Appends the frame.
    public static func write(_ type: MessageType, to buffer: inout ByteBuffer) {
        buffer.appendFrame(type, bodyByteCount: layout.rootByteCount) { _ = $0.root(layout) }
    }
}

/// A reply that is only an outcome: CreateAndSeal, its batch form and SetOptions.
public struct StatusReply: Equatable, Sendable {
    /// Why the request was refused; `nil` when it was carried out.
    public var error: StoreError?

    private static let layout = TableLayout(8, 1, [4, 0, 0, 0, 0, 0, 0, 0])

    /// An outcome.
    public init(error: StoreError?) { self.error = error }

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        error = try StoreError(wire: FlatTable(body).integer(0))
    }

    /// Appends the frame.
    public func write(_ type: MessageType, to buffer: inout ByteBuffer) {
        buffer.appendFrame(type, bodyByteCount: Self.layout.rootByteCount) { cursor in
            let table = cursor.root(Self.layout)
            cursor.put(StoreError.code(error), at: table + 4)
        }
    }
}

/// Says that an object is complete.
public struct SealRequest: Equatable, Sendable {
    /// The object.
    public var id: RecordID
    /// The digest's 8 bytes as they lie in memory.
    public var digest: UInt64

    private static let layout = TableLayout(12, 2, [4, 8, 0, 0, 0, 0, 0, 0])

    /// A request from its parts.
    public init(id: RecordID, digest: UInt64) {
        self.id = id
        self.digest = digest
    }

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        id = try table.id(0)
        guard let bytes = try table.string(1) else { throw .missingField("digest") }
        digest = try CreateAndSealRequest.digest(bytes)
    }

    /// Appends the frame.
    public func write(to buffer: inout ByteBuffer) {
        let size = Self.layout.rootByteCount + FlatCursor.idByteCount + 16
        buffer.appendFrame(.sealRequest, bodyByteCount: size) { cursor in
            let table = cursor.root(Self.layout)
            cursor.id(id, from: table + 4)
            cursor.digest(digest, from: table + 8)
        }
    }
}

/// An id and a number: the replies to Seal (an outcome) and to Contains (1 or 0).
public struct IDNumberReply: Equatable, Sendable {
    /// The object.
    public var id: RecordID
    /// An error's number, 0 for none; or whether the object is there.
    public var number: Int32

    private static let layout = TableLayout(12, 2, [4, 8, 0, 0, 0, 0, 0, 0])

    /// A reply from its parts.
    public init(id: RecordID, number: Int32) {
        self.id = id
        self.number = number
    }

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        id = try table.id(0)
        number = try table.integer(1)
    }

    /// Appends the frame.
    public func write(_ type: MessageType, to buffer: inout ByteBuffer) {
        let size = Self.layout.rootByteCount + FlatCursor.idByteCount
        buffer.appendFrame(type, bodyByteCount: size) { cursor in
            let table = cursor.root(Self.layout)
            cursor.put(number, at: table + 8)
            cursor.id(id, from: table + 4)
        }
    }
}

/// A count of bytes: Connect's reply (the capacity), Evict and its reply.
public struct ByteCountMessage: Equatable, Sendable {
    /// The count; above `Int64.max` it is read as `Int64.max`.
    public var byteCount: Int64

    private static let layout = TableLayout(16, 1, [8, 0, 0, 0, 0, 0, 0, 0])

    /// A message about `byteCount` bytes.
    public init(byteCount: Int64) { self.byteCount = byteCount }

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        byteCount = Int64(clamping: try FlatTable(body).integer(0, UInt64(0)))
    }

    /// Appends the frame.
    public func write(_ type: MessageType, to buffer: inout ByteBuffer) {
        buffer.appendFrame(type, bodyByteCount: Self.layout.rootByteCount) { cursor in
            let table = cursor.root(Self.layout)
            cursor.put(byteCount, at: table + 8)
        }
    }
}

/// A client's name and the memory it may fill.
public struct SetOptionsRequest: Equatable, Sendable {
    /// What to call the client.
    public var name: [UInt8]
    /// Bytes that its objects may take, set aside for it; 0 or less for none.
    public var quotaByteCount: Int64

    private static let layout = TableLayout(16, 2, [4, 8, 0, 0, 0, 0, 0, 0])

    /// A request from its parts.
    public init(name: [UInt8], quotaByteCount: Int64) {
        self.name = name
        self.quotaByteCount = quotaByteCount
    }

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        name = [UInt8](try table.string(0) ?? UnsafeRawBufferPointer(start: nil, count: 0))
        quotaByteCount = try table.integer(1)
    }

    /// Appends the frame.
    public func write(to buffer: inout ByteBuffer) {
        let size = Self.layout.rootByteCount + FlatCursor.stringByteCount(name.count)
        buffer.appendFrame(.setOptionsRequest, bodyByteCount: size) { cursor in
            let table = cursor.root(Self.layout)
            cursor.put(quotaByteCount, at: table + 8)
            name.withUnsafeBytes { cursor.string($0, from: table + 4) }
        }
    }
}

/// The store's state in words.
public struct DebugStringReply: Equatable, Sendable {
    /// UTF-8 text.
    public var text: String

    private static let layout = TableLayout(8, 1, [4, 0, 0, 0, 0, 0, 0, 0])

    /// A reply with this text.
    public init(text: String) { self.text = text }

    /// Reads a message body; what is not UTF-8 is replaced.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let bytes = try FlatTable(body).string(0) ?? UnsafeRawBufferPointer(start: nil, count: 0)
        text = String(decoding: bytes, as: UTF8.self)
    }

    /// Appends the frame.
    public func write(to buffer: inout ByteBuffer) {
        let bytes = Array(text.utf8)
        let size = Self.layout.rootByteCount + FlatCursor.stringByteCount(bytes.count)
        buffer.appendFrame(.debugStringReply, bodyByteCount: size) { cursor in
            let table = cursor.root(Self.layout)
            bytes.withUnsafeBytes { cursor.string($0, from: table + 4) }
        }
    }
}
