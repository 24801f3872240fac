import Identifiers
import PlasmaProtocol

/// Id number `index` of a test.
func testID(_ index: Int) -> RecordID {
    RecordID(batch: BatchID(rawValue: 42), unique: UInt64(index), index: 0x8000_0001)
}

/// One frame taken apart, for reading its body.
struct Frame {
    var type: MessageType
    var body: [UInt8]

    /// The only frame in `buffer`.
    init(_ buffer: borrowing ByteBuffer) throws(WireError) {
        try self.init(buffer.array)
    }

    init(_ bytes: [UInt8]) throws(WireError) {
        var type: MessageType?
        do {
            try bytes.withUnsafeBytes { raw in
                type = try FrameHeader(reading: raw, bodyByteCountMax: 1 << 30)?.type
            }
        } catch let error as WireError {
            throw error
        } catch {
            preconditionFailure("an error of another kind: \(error)")
        }
        guard let type else { throw .outOfBounds }
        self.type = type
        body = Array(bytes.dropFirst(FrameHeader.byteCount))
    }

    /// What `read` makes of the body.
    func read<Value>(
        _ read: (UnsafeRawBufferPointer) throws(WireError) -> Value
    ) throws(WireError) -> Value {
        // A block of exactly the body's size, so that a sanitizer sees every byte read outside it.
        let copy = UnsafeMutableRawBufferPointer.allocate(byteCount: body.count, alignment: 1)
        defer { copy.deallocate() }
        copy.copyBytes(from: body)
        return try read(UnsafeRawBufferPointer(copy))
    }
}

/// The frame that `write` appends.
func frame(_ write: (inout ByteBuffer) -> Void) throws(WireError) -> Frame {
    var buffer = ByteBuffer()
    write(&buffer)
    return try Frame(buffer)
}

/// Every id of a list.
func all(_ list: IDList) throws(WireError) -> [RecordID] {
    var ids: [RecordID] = []
    for index in 0..<list.count { ids.append(try list.id(at: index)) }
    return ids
}

/// Every string of a list.
func all(_ list: BytesList) throws(WireError) -> [[UInt8]] {
    var strings: [[UInt8]] = []
    for index in 0..<list.count { strings.append([UInt8](try list.bytes(at: index))) }
    return strings
}

/// A Get reply with these places; every object that is there lies in file 0.
func getReply(
    _ objects: [(id: RecordID, place: ObjectPlace)], _ files: [MappedFile]
) throws(WireError) -> Frame {
    var writer = GetReplyWriter(count: objects.count)
    for object in objects {
        writer.append(object.id, object.place, segment: object.place.isMissing ? nil : 0)
    }
    return try Frame(writer.finish(files: files))
}
