public import Identifiers

/// Asks for room for a new object, which the client then fills and seals.
public struct CreateRequest: Equatable, Sendable {
    /// The new object.
    public var id: RecordID
    /// Whether older objects may go to make room.
    public var evictsIfFull: Bool
    /// Bytes of data.
    public var dataByteCount: UInt64
    /// Bytes of metadata, stored right after the data.
    public var metadataByteCount: UInt64
    /// 0 for memory of the host; other devices are not known here.
    public var device: Int32

    private static let layout = TableLayout(32, 5, [4, 28, 8, 16, 24, 0, 0, 0])

    /// A request from its parts.
    public init(
        id: RecordID, evictsIfFull: Bool, dataByteCount: UInt64, metadataByteCount: UInt64,
        device: Int32 = 0
    ) {
        self.id = id
        self.evictsIfFull = evictsIfFull
        self.dataByteCount = dataByteCount
        self.metadataByteCount = metadataByteCount
        self.device = device
    }

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        id = try table.id(0)
        evictsIfFull = try table.integer(1, UInt8(0)) != 0
        dataByteCount = try table.integer(2)
        metadataByteCount = try table.integer(3)
        device = try table.integer(4)
    }

    /// Appends the frame.
    public func write(to buffer: inout ByteBuffer) {
        let size = Self.layout.rootByteCount + FlatCursor.idByteCount
        buffer.appendFrame(.createRequest, bodyByteCount: size) { cursor in
            let table = cursor.root(Self.layout)
            cursor.put(UInt8(evictsIfFull ? 1 : 0), at: table + 28)
            cursor.put(dataByteCount, at: table + 8)
            cursor.put(metadataByteCount, at: table + 16)
            cursor.put(device, at: table + 24)
            cursor.id(id, from: table + 4)
        }
    }
}

/// Where an object's bytes are.
public struct ObjectPlace: Equatable, Sendable {
    /// The store's number of the file that is mapped; the key under which clients keep their map.
    public var storeDescriptor: Int32
    /// Where the data start in the file.
    public var dataOffset: UInt64
    /// Bytes of data.
    public var dataByteCount: UInt64
    /// Where the metadata start in the file.
    public var metadataOffset: UInt64
    /// Bytes of metadata.
    public var metadataByteCount: UInt64

    /// Bytes of the struct on the wire, the device (always 0) and padding included.
    static let byteCount = 48

    /// What a reply carries for an object that is not there.
    public static let missing = ObjectPlace(
        storeDescriptor: 0, dataOffset: 0, dataByteCount: .max, metadataOffset: 0,
        metadataByteCount: 0)

    /// All zero: what a failed create carries.
    public static let none = ObjectPlace(
        storeDescriptor: 0, dataOffset: 0, dataByteCount: 0, metadataOffset: 0,
        metadataByteCount: 0)

    /// A place from its parts.
    public init(
        storeDescriptor: Int32, dataOffset: UInt64, dataByteCount: UInt64, metadataOffset: UInt64,
        metadataByteCount: UInt64
    ) {
        self.storeDescriptor = storeDescriptor
        self.dataOffset = dataOffset
        self.dataByteCount = dataByteCount
        self.metadataOffset = metadataOffset
        self.metadataByteCount = metadataByteCount
    }

    /// Whether the object is not there.
    public var isMissing: Bool { dataByteCount == .max }

    init(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(WireError) {
        guard position >= 0, position <= bytes.count - Self.byteCount else { throw .outOfBounds }
        storeDescriptor = try FlatTable.load(Int32.self, bytes, position)
        dataOffset = try FlatTable.load(UInt64.self, bytes, position + 8)
        dataByteCount = try FlatTable.load(UInt64.self, bytes, position + 16)
        metadataOffset = try FlatTable.load(UInt64.self, bytes, position + 24)
        metadataByteCount = try FlatTable.load(UInt64.self, bytes, position + 32)
    }

    @inline(__always)
    func store(to cursor: FlatCursor, at position: Int) {
        cursor.put(Int64(storeDescriptor), at: position)
        cursor.put(dataOffset, at: position + 8)
        cursor.put(dataByteCount, at: position + 16)
        cursor.put(metadataOffset, at: position + 24)
        cursor.put(metadataByteCount, at: position + 32)
        cursor.put(Int64(0), at: position + 40)
    }
}

/// A mapped file of the store, as replies name it.
public struct MappedFile: Equatable, Sendable {
    /// The store's number of the file.
    public var storeDescriptor: Int32
    /// The file's size: whole pages and 8 bytes more; clients map 8 bytes less.
    public var byteCount: Int64

    /// A file by number and size.
    public init(storeDescriptor: Int32, byteCount: Int64) {
        self.storeDescriptor = storeDescriptor
        self.byteCount = byteCount
    }
}

/// Where the new object is, or why there is none.
public struct CreateReply: Equatable, Sendable {
    /// The object that was asked for.
    public var id: RecordID
    /// Where it is; zeros after an error.
    public var place: ObjectPlace
    /// Why it could not be created.
    public var error: StoreError?
    /// The file it lies in; zeros after an error.
    public var file: MappedFile

    private static let layout = TableLayout(72, 5, [4, 8, 56, 60, 64, 0, 0, 0])

    /// A reply from its parts.
    public init(id: RecordID, place: ObjectPlace, error: StoreError?, file: MappedFile) {
        self.id = id
        self.place = place
        self.error = error
        self.file = file
    }

    /// A refusal.
    public init(id: RecordID, error: StoreError) {
        self.init(
            id: id, place: .none, error: error, file: MappedFile(storeDescriptor: 0, byteCount: 0))
    }

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        id = try table.id(0)
        guard let field = try table.field(1) else { throw .missingField("object") }
        place = try ObjectPlace(body, at: field)
        error = try StoreError(wire: table.integer(2))
        file = MappedFile(
            storeDescriptor: try table.integer(3), byteCount: try table.integer(4))
    }

    /// Appends the frame.
    public func write(to buffer: inout ByteBuffer) {
        let size = Self.layout.rootByteCount + FlatCursor.idByteCount
        buffer.appendFrame(.createReply, bodyByteCount: size) { cursor in
            let table = cursor.root(Self.layout)
            place.store(to: cursor, at: table + 8)
            cursor.put(StoreError.code(error), at: table + 56)
            cursor.put(file.storeDescriptor, at: table + 60)
            cursor.put(file.byteCount, at: table + 64)
            cursor.id(id, from: table + 4)
        }
    }
}

extension StoreError {
    /// Reads an outcome: 0 is none.
    init?(wire code: Int32) throws(WireError) {
        if code == 0 { return nil }
        guard let error = StoreError(rawValue: code) else { throw .errorCode(found: code) }
        self = error
    }
}
