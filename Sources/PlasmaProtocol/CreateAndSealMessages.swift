public import Identifiers

/// A whole small object in one message; its bytes are read where the message lies.
public struct CreateAndSealRequest {
    /// The new object.
    public let id: RecordID
    /// Whether older objects may go to make room.
    public let evictsIfFull: Bool
    /// The data; valid as long as the message.
    public let data: UnsafeRawBufferPointer
    /// The metadata; valid as long as the message.
    public let metadata: UnsafeRawBufferPointer
    /// The digest's 8 bytes as they lie in memory.
    public let digest: UInt64

    private static let layout = TableLayout(24, 5, [4, 20, 8, 12, 16, 0, 0, 0])

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        let nothing = UnsafeRawBufferPointer(start: nil, count: 0)
        id = try table.id(0)
        evictsIfFull = try table.integer(1, UInt8(0)) != 0
        data = try table.string(2) ?? nothing
        metadata = try table.string(3) ?? nothing
        digest = try Self.digest(table.string(4) ?? nothing)
    }

    static func digest(_ bytes: UnsafeRawBufferPointer) throws(WireError) -> UInt64 {
        guard bytes.count == 8 else { throw .digestByteCount(found: bytes.count) }
        return bytes.loadUnaligned(as: UInt64.self)
    }

    /// Appends the frame.
    public static func write(
        id: RecordID, evictsIfFull: Bool, data: UnsafeRawBufferPointer,
        metadata: UnsafeRawBufferPointer, digest: UInt64, to buffer: inout ByteBuffer
    ) {
        let size =
            layout.rootByteCount + FlatCursor.idByteCount + 16
            + FlatCursor.stringByteCount(data.count) + FlatCursor.stringByteCount(metadata.count)
        buffer.appendFrame(.createAndSealRequest, bodyByteCount: size) { cursor in
            let table = cursor.root(layout)
            cursor.put(UInt8(evictsIfFull ? 1 : 0), at: table + 20)
            cursor.id(id, from: table + 4)
            cursor.digest(digest, from: table + 16)
            cursor.string(metadata, from: table + 12)
            cursor.string(data, from: table + 8)
        }
    }
}

/// Several whole objects in one message: all of them are created, or none.
public struct CreateAndSealBatchRequest {
    /// The new objects.
    public let ids: IDList
    /// Whether older objects may go to make room.
    public let evictsIfFull: Bool
    /// The data of each.
    public let data: BytesList
    /// The metadata of each.
    public let metadata: BytesList
    private let digests: BytesList

    private static let layout = TableLayout(24, 5, [4, 20, 8, 12, 16, 0, 0, 0])

    /// Reads a message body; the five lists must be equally long.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        ids = IDList(vector: try table.vector(0, elementByteCount: 4))
        evictsIfFull = try table.integer(1, UInt8(0)) != 0
        data = BytesList(vector: try table.vector(2, elementByteCount: 4))
        metadata = BytesList(vector: try table.vector(3, elementByteCount: 4))
        digests = BytesList(vector: try table.vector(4, elementByteCount: 4))
        for count in [data.count, metadata.count, digests.count] where count != ids.count {
            throw .entryCountMismatch(expected: ids.count, found: count)
        }
    }

    /// The digest of the object at `index`, its 8 bytes as they lie in memory.
    public func digest(at index: Int) throws(WireError) -> UInt64 {
        try CreateAndSealRequest.digest(digests.bytes(at: index))
    }

    /// One object of a batch that a client creates.
    public struct Entry: Equatable, Sendable {
        /// The new object.
        public var id: RecordID
        /// Its data.
        public var data: [UInt8]
        /// Its metadata.
        public var metadata: [UInt8]
        /// The digest's 8 bytes as they lie in memory.
        public var digest: UInt64

        /// An entry from its parts.
        public init(id: RecordID, data: [UInt8], metadata: [UInt8] = [], digest: UInt64 = 0) {
            self.id = id
            self.data = data
            self.metadata = metadata
            self.digest = digest
        }
    }

    /// Appends the frame.
    public static func write(
        _ entries: [Entry], evictsIfFull: Bool, to buffer: inout ByteBuffer
    ) {
        let count = entries.count
        let size =
            layout.rootByteCount + FlatCursor.idsByteCount(count) + 4 + 20 * count
            + FlatCursor.stringsByteCount(entries.lazy.map(\.metadata))
            + FlatCursor.stringsByteCount(entries.lazy.map(\.data))
        buffer.appendFrame(.createAndSealBatchRequest, bodyByteCount: size) { cursor in
            let table = cursor.root(layout)
            cursor.put(UInt8(evictsIfFull ? 1 : 0), at: table + 20)
            cursor.ids(entries.lazy.map(\.id), from: table + 4)
            var entry = cursor.vector(count: count, from: table + 16)
            cursor.position += 4 * count
            for one in entries {
                cursor.digest(one.digest, from: entry)
                entry += 4
            }
            cursor.strings(entries.lazy.map(\.metadata), from: table + 12)
            cursor.strings(entries.lazy.map(\.data), from: table + 8)
        }
    }
}
