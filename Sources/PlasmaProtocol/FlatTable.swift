public import Identifiers

/// A FlatBuffers table inside a message body; every access checks its bounds.
///
/// Holds no reference: valid as long as the bytes it was made from.
///
/// - Source: FlatBuffers, "Internals" (flatbuffers.dev): a table starts with a signed offset back
///   to its vtable; slot offsets in the vtable are 0 for absent fields; references point forward.
public struct FlatTable {
    let bytes: UnsafeRawBufferPointer
    let position: Int
    let vtable: Int
    let vtableByteCount: Int

    /// The root table of a body.
    public init(_ body: UnsafeRawBufferPointer) throws(WireError) {
        try self.init(body, at: Int(Self.load(UInt32.self, body, 0)))
    }

    init(_ bytes: UnsafeRawBufferPointer, at position: Int) throws(WireError) {
        self.bytes = bytes
        self.position = position
        vtable = position - Int(try Self.load(Int32.self, bytes, position))
        vtableByteCount = Int(try Self.load(UInt16.self, bytes, vtable))
        guard vtableByteCount >= 4, vtable <= bytes.count - vtableByteCount else {
            throw .outOfBounds
        }
    }

    @inline(__always)
    static func load<Value: FixedWidthInteger>(
        _ type: Value.Type, _ bytes: UnsafeRawBufferPointer, _ position: Int
    ) throws(WireError) -> Value {
        guard position >= 0, position <= bytes.count - MemoryLayout<Value>.size else {
            throw .outOfBounds
        }
        return Value(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: type))
    }

    /// Where the field of `slot` is; `nil` when it is absent.
    @inline(__always)
    func field(_ slot: Int) throws(WireError) -> Int? {
        let entry = 4 + 2 * slot
        guard entry + 2 <= vtableByteCount else { return nil }
        let offset = Int(try Self.load(UInt16.self, bytes, vtable + entry))
        return offset == 0 ? nil : position + offset
    }

    /// A number; `fallback` when the field is absent.
    func integer<Value: FixedWidthInteger>(
        _ slot: Int, _ fallback: Value = 0
    )
        throws(WireError) -> Value
    {
        guard let field = try field(slot) else { return fallback }
        return try Self.load(Value.self, bytes, field)
    }

    /// Follows the reference at `position`.
    @inline(__always)
    static func target(_ bytes: UnsafeRawBufferPointer, _ position: Int) throws(WireError) -> Int {
        position + Int(try load(UInt32.self, bytes, position))
    }

    @inline(__always)
    static func string(
        _ bytes: UnsafeRawBufferPointer, _ position: Int
    )
        throws(WireError) -> UnsafeRawBufferPointer
    {
        let count = Int(try load(UInt32.self, bytes, position))
        guard count <= bytes.count - position - 4 else { throw .outOfBounds }
        let range = position + 4..<position + 4 + count
        return UnsafeRawBufferPointer(rebasing: bytes[range])
    }

    /// The bytes of a string; `nil` when the field is absent.
    func string(_ slot: Int) throws(WireError) -> UnsafeRawBufferPointer? {
        guard let field = try field(slot) else { return nil }
        return try Self.string(bytes, Self.target(bytes, field))
    }

    /// The object id in a string field; it has to be there.
    func id(_ slot: Int) throws(WireError) -> RecordID {
        guard let found = try string(slot) else { throw .missingField("object id") }
        return try RecordID(wire: found)
    }

    /// A vector; empty when the field is absent.
    func vector(_ slot: Int, elementByteCount: Int) throws(WireError) -> FlatVector {
        guard let field = try field(slot) else {
            return FlatVector(bytes: bytes, position: 0, count: 0)
        }
        let start = try Self.target(bytes, field)
        let count = Int(try Self.load(UInt32.self, bytes, start))
        guard count <= (bytes.count - start - 4) / elementByteCount else { throw .outOfBounds }
        return FlatVector(bytes: bytes, position: start + 4, count: count)
    }
}

/// A FlatBuffers vector whose elements are known to lie inside the body.
struct FlatVector {
    let bytes: UnsafeRawBufferPointer
    let position: Int
    let count: Int

    /// The string that element `index` refers to.
    @inline(__always)
    func string(_ index: Int) throws(WireError) -> UnsafeRawBufferPointer {
        precondition(index >= 0 && index < count, "entry \(index) of \(count)")
        return try FlatTable.string(bytes, FlatTable.target(bytes, position + 4 * index))
    }

    /// The table that element `index` refers to.
    func table(_ index: Int) throws(WireError) -> FlatTable {
        precondition(index >= 0 && index < count, "entry \(index) of \(count)")
        return try FlatTable(bytes, at: FlatTable.target(bytes, position + 4 * index))
    }

    /// The number that is element `index`.
    func integer<Value: FixedWidthInteger>(
        _ type: Value.Type, _ index: Int
    )
        throws(WireError) -> Value
    {
        precondition(index >= 0 && index < count, "entry \(index) of \(count)")
        return try FlatTable.load(type, bytes, position + MemoryLayout<Value>.size * index)
    }
}

extension RecordID {
    /// Reads the id a peer sent.
    @inline(__always)
    init(wire bytes: UnsafeRawBufferPointer) throws(WireError) {
        guard bytes.count == Self.byteCount, let base = bytes.baseAddress else {
            throw .idByteCount(found: bytes.count)
        }
        self.init(loading: base)
    }
}

/// The ids of a message, read one at a time.
public struct IDList {
    let vector: FlatVector

    /// How many ids there are.
    public var count: Int { vector.count }

    /// The id at `index`, which must be in `0..<count`.
    ///
    /// - Throws: `WireError` when it is not 20 bytes inside the message.
    public func id(at index: Int) throws(WireError) -> RecordID {
        try RecordID(wire: vector.string(index))
    }
}

/// The byte strings of a message, read one at a time.
public struct BytesList {
    let vector: FlatVector

    /// How many strings there are.
    public var count: Int { vector.count }

    /// The bytes at `index`, which must be in `0..<count`; valid as long as the message.
    public func bytes(at index: Int) throws(WireError) -> UnsafeRawBufferPointer {
        try vector.string(index)
    }
}
