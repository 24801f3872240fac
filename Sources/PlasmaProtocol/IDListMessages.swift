public import Identifiers

/// Objects to remove, one outcome each.
public struct DeleteRequest {
    /// The objects; naming one twice is allowed.
    public let ids: IDList

    private static let layout = TableLayout(12, 2, [4, 8, 0, 0, 0, 0, 0, 0])

    /// Reads a message body; the announced count must be the list's.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        let count: Int32 = try table.integer(0)
        ids = IDList(vector: try table.vector(1, elementByteCount: 4))
        guard Int(count) == ids.count else {
            throw .entryCountMismatch(expected: Int(count), found: ids.count)
        }
    }

    /// Appends the frame.
    public static func write(_ ids: some Collection<RecordID>, to buffer: inout ByteBuffer) {
        let size = layout.rootByteCount + FlatCursor.idsByteCount(ids.count)
        buffer.appendFrame(.deleteRequest, bodyByteCount: size) { cursor in
            let table = cursor.root(layout)
            cursor.put(Int32(truncatingIfNeeded: ids.count), at: table + 4)
            cursor.ids(ids, from: table + 8)
        }
    }
}

/// Outcomes of a `DeleteRequest`, in its order.
public struct DeleteReply {
    /// The objects.
    public let ids: IDList
    private let errors: FlatVector

    fileprivate static let layout = TableLayout(16, 3, [4, 8, 12, 0, 0, 0, 0, 0])

    /// Reads a message body; both lists must be equally long.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        ids = IDList(vector: try table.vector(1, elementByteCount: 4))
        errors = try table.vector(2, elementByteCount: 4)
        guard errors.count == ids.count else {
            throw .entryCountMismatch(expected: ids.count, found: errors.count)
        }
    }

    /// Why the object at `index` was not removed; `nil` when it was.
    public func error(at index: Int) throws(WireError) -> StoreError? {
        try StoreError(wire: errors.integer(Int32.self, index))
    }
}

/// Writes a `DeleteReply` of known length entry by entry, over as many turns as it takes.
public struct DeleteReplyWriter: ~Copyable {
    private var buffer: ByteBuffer
    private let start: Int
    private let count: Int
    private var entry: Int
    private var error: Int
    private var string: Int
    private var written = 0

    /// A reply of `count` entries, behind what is in a buffer.
    public init(count: Int, after earlier: consuming ByteBuffer = ByteBuffer()) {
        buffer = earlier
        start = buffer.count + FrameHeader.byteCount
        let layout = DeleteReply.layout
        let errorsEnd = layout.rootByteCount + 4 + 4 * count
        let size = errorsEnd + FlatCursor.idsByteCount(count)
        let frame = buffer.reserve(FrameHeader.byteCount + size)
        FrameHeader(type: .deleteReply, bodyByteCount: size).store(to: frame)
        buffer.commit(FrameHeader.byteCount + size)
        var cursor = FlatCursor(frame + FrameHeader.byteCount)
        let table = cursor.root(layout)
        cursor.put(Int32(truncatingIfNeeded: count), at: table + 4)
        error = cursor.vector(count: count, from: table + 12)
        cursor.position = errorsEnd
        entry = cursor.vector(count: count, from: table + 8)
        string = entry + 4 * count
        self.count = count
    }

    /// The next object and its outcome.
    public mutating func append(_ id: RecordID, _ outcome: StoreError?) {
        precondition(written < count, "more than \(count) outcomes")
        guard let base = buffer.bytes.baseAddress else { return }
        let body = UnsafeMutableRawPointer(mutating: base) + start
        var cursor = FlatCursor(body, position: string)
        cursor.put(StoreError.code(outcome), at: error)
        cursor.id(id, from: entry)
        string = cursor.position
        error += 4
        entry += 4
        written += 1
    }

    /// The buffer with the frame, once every entry was written.
    public consuming func finish() -> ByteBuffer {
        precondition(written == count, "\(written) of \(count) outcomes")
        return buffer
    }
}

/// Objects to count as just used.
public struct RefreshLRURequest {
    /// The objects.
    public let ids: IDList

    private static let layout = TableLayout(8, 1, [4, 0, 0, 0, 0, 0, 0, 0])

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        ids = IDList(vector: try FlatTable(body).vector(0, elementByteCount: 4))
    }

    /// Appends the frame.
    public static func write(_ ids: some Collection<RecordID>, to buffer: inout ByteBuffer) {
        let size = layout.rootByteCount + FlatCursor.idsByteCount(ids.count)
        buffer.appendFrame(.refreshLRURequest, bodyByteCount: size) { cursor in
            let table = cursor.root(layout)
            cursor.ids(ids, from: table + 4)
        }
    }
}
