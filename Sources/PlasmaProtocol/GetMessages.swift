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

    private static let layout = TableLayout(24, 5, [4, 8, 12, 16, 20, 0, 0, 0])

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

    /// Appends the frame.
    ///
    /// - Parameters:
    ///   - objects: each id with its place, or `ObjectPlace.missing`.
    ///   - files: the distinct files of the places.
    public static func write(
        _ objects: some Collection<(id: RecordID, place: ObjectPlace)>, files: [MappedFile],
        to buffer: inout ByteBuffer
    ) {
        let count = objects.count
        let listed = layout.rootByteCount + FlatCursor.idsByteCount(count)
        let placed = wide(listed) + ObjectPlace.byteCount * count
        let numbered = placed + 4 + 4 * files.count
        let size = wide(numbered) + 8 * files.count + 4
        buffer.appendFrame(.getReply, bodyByteCount: size) { cursor in
            let table = cursor.root(layout)
            cursor.ids(objects.lazy.map(\.id), from: table + 4)
            _ = cursor.wideVector(count: count, from: table + 8)
            for object in objects {
                object.place.store(to: cursor, at: cursor.position)
                cursor.position += ObjectPlace.byteCount
            }
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
        }
    }

    /// Where the elements of a wide vector start when its head starts at `position` or 4 later.
    private static func wide(_ position: Int) -> Int {
        position & 7 == 0 ? position + 8 : position + 4
    }
}
