public import Identifiers

/// Records on their way to the disk, as one write.
public struct DiskGroup: Sendable {
    /// Records of one batch that follow each other.
    struct Run: Sendable {
        var slot: UInt32
        var generation: UInt32
        var count: Int
    }

    /// Entries, one behind another: key (25), length (4), value.
    var bytes: [UInt8] = []
    /// Records in it.
    public private(set) var count = 0
    var runs: [Run] = []
    /// How often the store had been emptied when it was made.
    var epoch: UInt64 = 0
    /// Slabs whose last record is in it.
    var finished: [SlabName] = []

    /// Bytes of its entries.
    public var byteCount: Int { bytes.count }

    /// No records.
    public init() {}

    /// Adds a record.
    public mutating func append(_ key: RecordKey, _ payload: UnsafeRawBufferPointer) {
        if bytes.isEmpty { bytes.reserveCapacity(payload.count + (1 << 20) + (1 << 16)) }
        withUnsafeBytes(of: DiskKey(key).bytes) { bytes.append(contentsOf: $0.prefix(25)) }
        withUnsafeBytes(of: UInt32(payload.count)) { bytes.append(contentsOf: $0) }
        bytes.append(contentsOf: payload)
        count += 1
    }

    /// Visits each entry.
    public func forEach(
        _ body: (_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) {
        bytes.withUnsafeBytes { bytes in
            var offset = 0
            while offset < bytes.count {
                let (key, value, next) = Self.entry(bytes, at: offset)
                body(key, value)
                offset = next
            }
        }
    }

    static func entry(
        _ bytes: UnsafeRawBufferPointer, at offset: Int
    ) -> (key: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, next: Int) {
        let start = offset + DiskKey.byteCount + 4
        let count = Int(
            bytes.loadUnaligned(fromByteOffset: offset + DiskKey.byteCount, as: UInt32.self))
        return (
            UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + DiskKey.byteCount]),
            UnsafeRawBufferPointer(rebasing: bytes[start..<start + count]), start + count
        )
    }
}

/// A slab, as long as its batch lives.
struct SlabName: Sendable {
    var slot: UInt32
    var generation: UInt32
    var slab: UInt32
    /// Bytes that go with it.
    var byteCount: Int
}

/// A record's key on disk: batch (8) | place in its batch (4) | rest of the id (12) | kind (1).
///
/// All numbers big-endian: the records of a batch lie together, and a walk over them can go on from a
/// place of 32 bits.
public struct DiskKey: Sendable {
    /// Bytes of a key.
    public static let byteCount = 25
    /// The bytes; what follows the first 25 is zero.
    public let bytes: (UInt64, UInt64, UInt64, UInt64)

    /// The key of a record.
    public init(_ key: RecordKey) {
        let place = UInt64(Self.place(of: key))
        bytes = (
            key.batch.bigEndian, (place << 32 | key.unique >> 32).bigEndian,
            (key.unique << 32 | UInt64(key.index)).bigEndian,
            (UInt64(key.kind.rawValue) << 56).bigEndian
        )
    }

    /// The first key of a batch's records from a place on.
    public init(_ batch: BatchID, from place: UInt64) {
        bytes = (
            UInt64(bitPattern: batch.rawValue).bigEndian, (min(place, 1 << 32) << 32).bigEndian, 0,
            0
        )
    }

    /// Where in its batch a record lies on disk; the same in every run.
    static func place(of key: RecordKey) -> UInt32 {
        let product = (key.unique ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(
            by: (UInt64(key.index) | UInt64(key.kind.rawValue) << 32) ^ 0xd6e8_feb8_6659_fd93)
        return UInt32(truncatingIfNeeded: (product.high ^ product.low) >> 32)
    }

    /// Reads a key; `nil` when it is none.
    public static func read(_ bytes: UnsafeRawBufferPointer) -> (key: RecordKey, place: UInt32)? {
        guard bytes.count == byteCount, let kind = RecordKind(rawValue: bytes[24]) else {
            return nil
        }
        func number<Number: FixedWidthInteger>(_ offset: Int, _: Number.Type) -> Number {
            Number(bigEndian: bytes.loadUnaligned(fromByteOffset: offset, as: Number.self))
        }
        let id = RecordID(
            batch: BatchID(rawValue: number(0, Int64.self)), unique: number(12, UInt64.self),
            index: number(20, UInt32.self))
        return (RecordKey(id, kind), number(8, UInt32.self))
    }

    /// Lends the bytes.
    public func withBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        withUnsafeBytes(of: bytes) { body(UnsafeRawBufferPointer(rebasing: $0.prefix(25))) }
    }
}

/// What the store asks of the disk; carried out in order, but reads that need not be.
public enum DiskRequest: Sendable {
    /// Forgets what an earlier run left, and makes what is written known by this identity.
    ///
    /// Never behind the log: the log tells of it, durably before the first record, when it is done.
    case begin(identity: UInt64)
    /// Has what is there known by another identity.
    case rename(identity: UInt64)
    /// Takes over what an earlier run left, if it is known by this identity.
    case keep(identity: UInt64)
    /// Lists records with their bytes, about 1 MiB of them, behind a key; of one batch or of all.
    case list(after: RecordKey?, of: BatchID?)
    /// Removes everything.
    case clear
    /// Writes records, durably, all or none.
    case put(DiskGroup)
    /// Removes records.
    case delete([RecordKey])
    /// Removes all records of a batch.
    case drop(BatchID, recordCount: Int)
    /// Reads records; `isOrdered`: after what was asked before.
    case read(ticket: UInt64, [RecordKey], isOrdered: Bool)
    /// Lists keys of a batch from a place on, about so many.
    case scan(ticket: UInt64, BatchID, from: UInt64, count: Int)
}

/// What the disk answers.
public enum DiskReply: Sendable {
    /// The disk can be written to, or why not.
    case begun(identity: UInt64, failure: String?)
    /// What is there is known by the new identity.
    case renamed
    /// What an earlier run left is taken over, or why not.
    case kept(failure: String?)
    /// Records in the order of their keys, and whether they are the last; or why not.
    case listed(DiskGroup, isEnd: Bool, failure: String?)
    /// The group was written, or why not.
    case put(DiskGroup, failure: String?)
    /// The records are removed.
    case deleted([RecordKey])
    /// The batch is removed.
    case dropped(BatchID)
    /// The records' bytes in the order of the request, `nil` where there is none; or why not.
    case read(ticket: UInt64, [[UInt8]?], failure: String?)
    /// Keys, and the place to go on from: 2^32 at the end; or why not.
    case scan(ticket: UInt64, [RecordKey], next: UInt64, failure: String?)
}
