public import Identifiers

/// Notifications on a subscriber's own socket: a length of 8 bytes, little-endian, then rows.
public enum Notification {
    /// Bytes of the length before each notification.
    public static let headerByteCount = 8

    private static let root = TableLayout(8, 1, [4, 0, 0, 0, 0, 0, 0, 0])
    private static let addition = TableLayout(28, 7, [4, 8, 16, 0, 0, 0, 24, 0])
    /// A row of an added object, its id and its digest, rounded up to 8.
    private static let additionByteCount = 72
    private static let move = TableLayout(32, 7, [4, 8, 16, 28, 0, 0, 24, 0])
    /// A row of a moved object, its id and its digest, rounded up to 8.
    private static let moveByteCount = 80
    private static let deletion = TableLayout(12, 8, [4, 0, 0, 0, 0, 0, 0, 8])
    /// A row of a deleted object and its id.
    private static let deletionByteCount = 40

    /// Bytes of the body of the first notification in `bytes`; `nil` when they are fewer than 8.
    ///
    /// - Parameter bodyByteCountMax: a longer notification is refused.
    public static func bodyByteCount(
        _ bytes: UnsafeRawBufferPointer, bodyByteCountMax: Int
    ) throws(WireError) -> Int? {
        guard bytes.count >= headerByteCount else { return nil }
        let count = Int64(littleEndian: bytes.loadUnaligned(as: Int64.self))
        guard count >= 0, count <= bodyByteCountMax else {
            throw .bodyByteCount(found: count, limit: bodyByteCountMax)
        }
        return Int(count)
    }

    /// Appends one notification about sealed objects: id, sizes and digest of each are told.
    public static func writeAdditions(
        _ objects: some Collection<ObjectInfo>, to buffer: inout ByteBuffer
    ) {
        append(
            objects.count, addition, rowByteCount: additionByteCount, to: &buffer
        ) { cursor, rows in
            var row = rows
            for object in objects {
                cursor.put(object.dataByteCount, at: row + 8)
                cursor.put(object.metadataByteCount, at: row + 16)
                cursor.position = row + 28
                cursor.id(object.id, from: row + 4)
                cursor.digest(object.digest ?? 0, from: row + 24)
                row += additionByteCount
            }
        }
    }

    /// Appends one notification about objects that went to the external store or came back; their
    /// `referenceCount` says which.
    public static func writeMoves(
        _ objects: some Collection<ObjectInfo>, to buffer: inout ByteBuffer
    ) {
        append(objects.count, move, rowByteCount: moveByteCount, to: &buffer) { cursor, rows in
            var row = rows
            for object in objects {
                cursor.put(object.dataByteCount, at: row + 8)
                cursor.put(object.metadataByteCount, at: row + 16)
                cursor.put(object.referenceCount, at: row + 28)
                cursor.position = row + 32
                cursor.id(object.id, from: row + 4)
                cursor.digest(object.digest ?? 0, from: row + 24)
                row += moveByteCount
            }
        }
    }

    /// Appends one notification about objects that are gone, whatever the reason.
    public static func writeDeletions(
        _ ids: some Collection<RecordID>, to buffer: inout ByteBuffer
    ) {
        append(
            ids.count, deletion, rowByteCount: deletionByteCount, to: &buffer
        ) { cursor, rows in
            var row = rows
            for id in ids {
                cursor.put(UInt32(1), at: row + 8)
                cursor.position = row + 12
                cursor.id(id, from: row + 4)
                row += deletionByteCount
            }
        }
    }

    /// The frame around rows of one shape: `fill` writes all but their first 4 bytes.
    private static func append(
        _ count: Int, _ layout: TableLayout, rowByteCount: Int, to buffer: inout ByteBuffer,
        fill: (inout FlatCursor, _ rows: Int) -> Void
    ) {
        let vtable = root.rootByteCount
        let vector = (vtable + layout.vtableByteCount + 3) & ~3
        let rows = (vector + 4 + 4 * count + 7) & ~7
        let size = rows + rowByteCount * count
        let frame = buffer.reserve(headerByteCount + size)
        frame.storeBytes(of: Int64(size).littleEndian, as: Int64.self)
        var cursor = FlatCursor(frame + headerByteCount)
        let table = cursor.root(root)
        cursor.vtable(layout)
        cursor.zero(to: vector)
        let entries = cursor.vector(count: count, from: table + 4)
        for index in 0..<count {
            let row = rows + rowByteCount * index
            cursor.put(UInt32(row - entries - 4 * index), at: entries + 4 * index)
            cursor.put(Int32(truncatingIfNeeded: row - vtable), at: row)
        }
        cursor.position = entries + 4 * count
        cursor.zero(to: rows)
        fill(&cursor, rows)
        buffer.commit(headerByteCount + size)
    }
}
