public import Identifiers

/// Asks where objects are, waiting for those that are not there yet; pins what it gets.
public struct GetRequest {
    /// The objects; one may be named several times.
    public let ids: IDList
    /// How long to wait: 0 not at all, negative for ever.
    public let timeoutMilliseconds: Int64

    private static let layout = TableLayout(16, 2, [4, 8, 0, 0, 0, 0, 0, 0])

    /// Reads a message body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        ids = IDList(vector: try table.vector(0, elementByteCount: 4))
        timeoutMilliseconds = try table.integer(1)
    }

    /// Appends the frame.
    public static func write(
        _ ids: some Collection<RecordID>, timeoutMilliseconds: Int64, to buffer: inout ByteBuffer
    ) {
        let size = layout.rootByteCount + FlatCursor.idsByteCount(ids.count)
        buffer.appendFrame(.getRequest, bodyByteCount: size) { cursor in
            let table = cursor.root(layout)
            cursor.put(timeoutMilliseconds, at: table + 8)
            cursor.ids(ids, from: table + 4)
        }
    }
}

/// Where objects are, in the order in which they were asked for.
public struct GetReply {
    /// The objects.
    public let ids: IDList
    private let places: FlatVector
    private let descriptors: FlatVector
    private let byteCounts: FlatVector

    fileprivate static let layout = TableLayout(24, 5, [4, 8, 12, 16, 20, 0, 0, 0])

    /// Reads a message body; lists that belong together must be equally long.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        let table = try FlatTable(body)
        ids = IDList(vector: try table.vector(0, elementByteCount: 4))
        places = try table.vector(1, elementByteCount: ObjectPlace.byteCount)
        descriptors = try table.vector(2, elementByteCount: 4)
        byteCounts = try table.vector(3, elementByteCount: 8)
        guard places.count == ids.count else {
            throw .entryCountMismatch(expected: ids.count, found: places.count)
        }
        guard byteCounts.count == descriptors.count else {
            throw .entryCountMismatch(expected: descriptors.count, found: byteCounts.count)
        }
    }

    /// Where the object at `index` is.
    public func place(at index: Int) throws(WireError) -> ObjectPlace {
        precondition(index >= 0 && index < places.count, "entry \(index) of \(places.count)")
        return try ObjectPlace(
            places.bytes, at: places.position + ObjectPlace.byteCount * index)
    }

    /// The files that the objects lie in; for each that this connection has not seen before a byte
    /// with its descriptor follows, in this order.
    public func files() throws(WireError) -> [MappedFile] {
        var files: [MappedFile] = []
        for index in 0..<descriptors.count {
            files.append(
                MappedFile(
                    storeDescriptor: try descriptors.integer(Int32.self, index),
                    byteCount: try byteCounts.integer(Int64.self, index)))
        }
        return files
    }
}

/// Writes a `GetReply` of known length entry by entry, over as many turns as it takes.
public struct GetReplyWriter: ~Copyable {
    private var buffer: ByteBuffer
    private let start: Int
    private let count: Int
    private let table: Int
    private var entry: Int
    private var string: Int
    private var place: Int
    private var written = 0
    /// The caller's numbers, 0 to 63, of the files that objects lie in: one bit each.
    public private(set) var segments: UInt64 = 0

    /// The most files a reply can name.
    private static let fileCountMax = 64

    /// A reply of `count` entries, behind what is in a buffer.
    public init(count: Int, after earlier: consuming ByteBuffer = ByteBuffer()) {
        buffer = earlier
        start = buffer.count + FrameHeader.byteCount
        let layout = GetReply.layout
        let placesEnd =
            Self.wide(layout.rootByteCount + FlatCursor.idsByteCount(count))
            + ObjectPlace.byteCount * count
        // The list of files is not known before the end: room for the longest.
        let frame = buffer.reserve(
            FrameHeader.byteCount + placesEnd + 16 + 12 * Self.fileCountMax)
        buffer.commit(FrameHeader.byteCount + placesEnd)
        var cursor = FlatCursor(frame + FrameHeader.byteCount)
        table = cursor.root(layout)
        entry = cursor.vector(count: count, from: table + 4)
        string = entry + 4 * count
        cursor.position = string + FlatCursor.idByteCount * count
        place = cursor.wideVector(count: count, from: table + 8)
        self.count = count
    }

    /// The next object: where it is, in the caller's file number `segment`, or `.missing`.
    public mutating func append(_ id: RecordID, _ found: ObjectPlace, segment: Int?) {
        precondition(written < count, "more than \(count) places")
        guard let base = buffer.bytes.baseAddress else { return }
        let body = UnsafeMutableRawPointer(mutating: base) + start
        var cursor = FlatCursor(body, position: string)
        cursor.id(id, from: entry)
        found.store(to: cursor, at: place)
        string = cursor.position
        place += ObjectPlace.byteCount
        entry += 4
        written += 1
        if let segment { segments |= 1 << UInt64(segment) }
    }

    /// The buffer with the frame, once every entry was written; `files` are those of `segments`, at most 64.
    public consuming func finish(files: [MappedFile]) -> ByteBuffer {
        precondition(written == count, "\(written) of \(count) places")
        precondition(files.count <= Self.fileCountMax, "\(files.count) files")
        var frame = buffer
        let room = frame.reserve(16 + 12 * files.count)
        var cursor = FlatCursor(room - place, position: place)
        _ = cursor.vector(count: files.count, from: table + 12)
        for file in files {
            cursor.put(file.storeDescriptor, at: cursor.position)
            cursor.position += 4
        }
        _ = cursor.wideVector(count: files.count, from: table + 16)
        for file in files {
            cursor.put(file.byteCount, at: cursor.position)
            cursor.position += 8
        }
        // Device handles, which only other devices than the host have; Arrow sends the list.
        _ = cursor.vector(count: 0, from: table + 20)
        frame.commit(cursor.position - place)
        let size = cursor.position
        FrameHeader(type: .getReply, bodyByteCount: size)
            .store(to: room - place - FrameHeader.byteCount)
        return frame
    }

    /// Where the elements of a wide vector start when its head starts at `position` or 4 later.
    private static func wide(_ position: Int) -> Int {
        position & 7 == 0 ? position + 8 : position + 4
    }
}
