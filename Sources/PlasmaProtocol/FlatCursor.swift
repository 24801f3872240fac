internal import Identifiers

/// Where the fields of a table are: offsets from its start by slot, 0 for fields left out.
struct TableLayout {
    let offsets: SIMD8<UInt16>
    let slotCount: Int
    /// Bytes of the table, the leading reference to its vtable included.
    let byteCount: Int

    init(_ byteCount: Int, _ slotCount: Int, _ offsets: SIMD8<UInt16>) {
        self.offsets = offsets
        self.slotCount = slotCount
        self.byteCount = byteCount
    }

    var vtableByteCount: Int { 4 + 2 * slotCount }

    /// Where the table starts when it is a body's root: after 4 bytes and the vtable, aligned to 8.
    var rootPosition: Int { (4 + vtableByteCount + 7) & ~7 }

    /// Bytes of a body up to the end of its root table.
    var rootByteCount: Int { rootPosition + byteCount }
}

/// Writes one FlatBuffer front to back into memory whose size was computed before.
///
/// Unchecked: callers compare `position` with the size they computed. Padding is zeroed, so that
/// no byte of the heap travels.
struct FlatCursor {
    let base: UnsafeMutableRawPointer
    var position: Int

    init(_ base: UnsafeMutableRawPointer, position: Int = 0) {
        self.base = base
        self.position = position
    }

    /// Bytes of a string of `count` bytes with its length, its final zero and padding to 4.
    static func stringByteCount(_ count: Int) -> Int { (count + 8) & ~3 }

    /// Bytes of an id as a string.
    static let idByteCount = 28

    /// Writes a number at `position`, which stays where it is.
    @inline(__always)
    func put<Value: FixedWidthInteger>(_ value: Value, at position: Int) {
        base.storeBytes(of: value.littleEndian, toByteOffset: position, as: Value.self)
    }

    /// Makes the 4 bytes at `slot` refer to the present position.
    @inline(__always)
    func link(from slot: Int) { put(UInt32(truncatingIfNeeded: position - slot), at: slot) }

    /// Fills with zeros up to `end`.
    @inline(__always)
    mutating func zero(to end: Int) {
        while position < end {
            put(UInt8(0), at: position)
            position += 1
        }
    }

    /// The reference to the root, its vtable and the table with all fields 0; returns its position.
    @inline(__always)
    mutating func root(_ layout: TableLayout) -> Int {
        let start = layout.rootPosition
        put(UInt32(start), at: position)
        position += 4
        zero(to: start - layout.vtableByteCount)
        vtable(layout)
        put(Int32(layout.vtableByteCount), at: start)
        position = start + 4
        zero(to: start + layout.byteCount)
        return start
    }

    /// A vtable at the present position, which must be even.
    @inline(__always)
    mutating func vtable(_ layout: TableLayout) {
        put(UInt16(layout.vtableByteCount), at: position)
        put(UInt16(layout.byteCount), at: position + 2)
        for slot in 0..<layout.slotCount {
            put(layout.offsets[slot], at: position + 4 + 2 * slot)
        }
        position += layout.vtableByteCount
    }

    /// An id as a string that `slot` refers to; the position must be a multiple of 4.
    @inline(__always)
    mutating func id(_ id: RecordID, from slot: Int) {
        link(from: slot)
        put(UInt32(RecordID.byteCount), at: position)
        id.store(to: base + position + 4)
        put(UInt32(0), at: position + 24)
        position += Self.idByteCount
    }

    /// A string that `slot` refers to; the position must be a multiple of 4.
    mutating func string(_ bytes: UnsafeRawBufferPointer, from slot: Int) {
        link(from: slot)
        put(UInt32(truncatingIfNeeded: bytes.count), at: position)
        if let source = bytes.baseAddress {
            (base + position + 4).copyMemory(from: source, byteCount: bytes.count)
        }
        let end = position + Self.stringByteCount(bytes.count)
        position += 4 + bytes.count
        zero(to: end)
    }

    /// An 8-byte string that `slot` refers to.
    @inline(__always)
    mutating func digest(_ digest: UInt64, from slot: Int) {
        link(from: slot)
        put(UInt32(8), at: position)
        base.storeBytes(of: digest, toByteOffset: position + 4, as: UInt64.self)
        put(UInt32(0), at: position + 12)
        position += 16
    }

    /// The head of a vector of 4-byte elements that `slot` refers to; returns where they start.
    mutating func vector(count: Int, from slot: Int) -> Int {
        link(from: slot)
        put(UInt32(truncatingIfNeeded: count), at: position)
        position += 4
        return position
    }

    /// The same for elements that are aligned to 8; the position must be a multiple of 4.
    mutating func wideVector(count: Int, from slot: Int) -> Int {
        if position & 7 == 0 { zero(to: position + 4) }
        return vector(count: count, from: slot)
    }

    /// References to ids and, after them, the ids.
    mutating func ids(_ ids: some Collection<RecordID>, from slot: Int) {
        var entry = vector(count: ids.count, from: slot)
        position += 4 * ids.count
        for id in ids {
            self.id(id, from: entry)
            entry += 4
        }
    }

    /// Bytes of `ids(_:from:)`.
    static func idsByteCount(_ count: Int) -> Int { 4 + (4 + idByteCount) * count }

    /// References to strings and, after them, the strings.
    mutating func strings(_ strings: some Collection<[UInt8]>, from slot: Int) {
        var entry = vector(count: strings.count, from: slot)
        position += 4 * strings.count
        for string in strings {
            string.withUnsafeBytes { self.string($0, from: entry) }
            entry += 4
        }
    }

    /// Bytes of `strings(_:from:)`.
    static func stringsByteCount(_ strings: some Collection<[UInt8]>) -> Int {
        strings.reduce(4) { $0 + 4 + stringByteCount($1.count) }
    }
}

extension ByteBuffer {
    /// Appends one frame of which the body's size is known.
    @inline(__always)
    mutating func appendFrame(
        _ type: MessageType, bodyByteCount: Int, _ write: (inout FlatCursor) -> Void
    ) {
        let frame = reserve(FrameHeader.byteCount + bodyByteCount)
        FrameHeader(type: type, bodyByteCount: bodyByteCount).store(to: frame)
        var cursor = FlatCursor(frame + FrameHeader.byteCount)
        write(&cursor)
        precondition(
            cursor.position == bodyByteCount,
            "\(type) wrote \(cursor.position) of \(bodyByteCount) bytes")
        commit(FrameHeader.byteCount + bodyByteCount)
    }
}
