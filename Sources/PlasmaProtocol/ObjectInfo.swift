public import Identifiers

/// One object as List and notifications describe it.
public struct ObjectInfo: Equatable, Sendable {
    /// The object.
    public var id: RecordID
    /// Bytes of data.
    public var dataByteCount: Int64
    /// Bytes of metadata.
    public var metadataByteCount: Int64
    /// Connections that use it; in notifications 0, `movedOut` or `movedIn`.
    public var referenceCount: Int32
    /// When it was created, in seconds since 1970; 0 in notifications.
    public var createdSeconds: Int64
    /// Seconds from create to seal; -1 while it is not sealed.
    public var constructSeconds: Int64
    /// The digest's 8 bytes as they lie in memory; `nil` while it is not sealed.
    public var digest: UInt64?
    /// Whether a notification says that the object is gone.
    public var isDeletion: Bool

    /// `referenceCount` of a notification that the object went to the external store.
    ///
    /// It can still be got. To Arrow's clients, which do not look at this field, it is sealed once
    /// more.
    public static let movedOut: Int32 = -1
    /// `referenceCount` of a notification that the object came back from the external store.
    public static let movedIn: Int32 = -2
    /// Whether a notification tells of an object that was there before and still is.
    public var isMove: Bool { referenceCount < 0 }

    /// Bytes that the object takes in its store.
    public var byteCount: Int64 { dataByteCount &+ metadataByteCount }

    /// A description from its parts.
    public init(
        id: RecordID, dataByteCount: Int64, metadataByteCount: Int64, referenceCount: Int32 = 0,
        createdSeconds: Int64 = 0, constructSeconds: Int64 = 0, digest: UInt64? = nil,
        isDeletion: Bool = false
    ) {
        self.id = id
        self.dataByteCount = dataByteCount
        self.metadataByteCount = metadataByteCount
        self.referenceCount = referenceCount
        self.createdSeconds = createdSeconds
        self.constructSeconds = constructSeconds
        self.digest = digest
        self.isDeletion = isDeletion
    }

    init(_ table: FlatTable) throws(WireError) {
        id = try table.id(0)
        dataByteCount = try table.integer(1)
        metadataByteCount = try table.integer(2)
        referenceCount = try table.integer(3)
        createdSeconds = try table.integer(4)
        constructSeconds = try table.integer(5)
        if let bytes = try table.string(6), bytes.count > 0 {
            digest = try CreateAndSealRequest.digest(bytes)
        } else {
            digest = nil
        }
        isDeletion = try table.integer(7, UInt8(0)) != 0
    }
}

/// The rows of a List reply or of a notification, read one at a time.
public struct ObjectInfoList {
    let vector: FlatVector

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        vector = try FlatTable(body).vector(0, elementByteCount: 4)
    }

    /// How many rows there are.
    public var count: Int { vector.count }

    /// The row at `index`, which must be in `0..<count`.
    public func row(at index: Int) throws(WireError) -> ObjectInfo {
        try ObjectInfo(vector.table(index))
    }
}

/// Writes a List reply row by row, over as many turns as it takes.
///
/// All rows have one shape and size and share one vtable; room is set aside for the most rows there
/// can be, so that each row is written once, where it stays.
public struct ListReplyWriter: ~Copyable {
    private var buffer = ByteBuffer()
    private let countMax: Int
    private let vector: Int
    private let vtable: Int
    private let rows: Int
    private var count = 0

    private static let root = TableLayout(8, 1, [4, 0, 0, 0, 0, 0, 0, 0])
    private static let row = TableLayout(48, 7, [4, 8, 16, 44, 24, 32, 40, 0])
    /// A row, its id and its digest, rounded up to 8.
    private static let rowByteCount = 96

    /// A reply of at most `countMax` rows.
    public init(countMax: Int) {
        self.countMax = countMax
        vtable = Self.root.rootByteCount
        vector = vtable + Self.row.vtableByteCount + 2
        rows = (vector + 4 + 4 * countMax + 7) & ~7
        let size = FrameHeader.byteCount + rows + Self.rowByteCount * countMax
        let frame = buffer.reserve(size)
        buffer.commit(size)
        var cursor = FlatCursor(frame + FrameHeader.byteCount)
        let table = cursor.root(Self.root)
        cursor.vtable(Self.row)
        cursor.zero(to: vector)
        cursor.link(from: table + 4)
        cursor.position = vector + 4 + 4 * countMax
        cursor.zero(to: rows)
    }

    private var body: UnsafeMutableRawPointer {
        guard let base = buffer.bytes.baseAddress else { preconditionFailure("no reply to write") }
        return UnsafeMutableRawPointer(mutating: base) + FrameHeader.byteCount
    }

    /// The next row; `false` when the reply is full.
    public mutating func append(_ info: ObjectInfo) -> Bool {
        guard count < countMax else { return false }
        let row = rows + Self.rowByteCount * count
        let entry = vector + 4 + 4 * count
        var cursor = FlatCursor(body, position: row)
        cursor.link(from: entry)
        cursor.put(Int32(truncatingIfNeeded: row - vtable), at: row)
        cursor.put(info.dataByteCount, at: row + 8)
        cursor.put(info.metadataByteCount, at: row + 16)
        cursor.put(info.createdSeconds, at: row + 24)
        cursor.put(info.constructSeconds, at: row + 32)
        cursor.put(info.referenceCount, at: row + 44)
        cursor.position = row + 48
        cursor.id(info.id, from: row + 4)
        if let digest = info.digest {
            cursor.digest(digest, from: row + 40)
        } else {
            cursor.string(UnsafeRawBufferPointer(start: nil, count: 0), from: row + 40)
        }
        cursor.zero(to: row + Self.rowByteCount)
        count += 1
        return true
    }

    /// The frame, shortened to the rows that were written.
    public consuming func finish() -> ByteBuffer {
        let cursor = FlatCursor(body)
        cursor.put(UInt32(truncatingIfNeeded: count), at: vector)
        // Entries that were not needed stay as a gap between the list and the rows.
        for entry in count..<countMax { cursor.put(UInt32(0), at: vector + 4 + 4 * entry) }
        let size = rows + Self.rowByteCount * count
        FrameHeader(type: .listReply, bodyByteCount: size).store(to: body - FrameHeader.byteCount)
        var frame = buffer
        frame.shorten(to: FrameHeader.byteCount + size)
        return frame
    }
}
