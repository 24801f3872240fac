internal import Checksums
public import Identifiers

/// One object in a spill file.
public struct SpilledObject: Equatable, Sendable {
    /// The object.
    public var id: RecordID
    /// Where its record starts in the file.
    public var offset: Int64
    /// Bytes of data.
    public var dataByteCount: Int64
    /// Bytes of metadata.
    public var metadataByteCount: Int64
    /// The digest that the object was sealed with.
    public var digest: UInt64
    /// When it was put into the store, in milliseconds since 1970.
    public var createdAt: Int64
    /// The checksum of data and metadata.
    public var checksum: UInt32

    /// An object from its parts.
    public init(
        id: RecordID, offset: Int64 = 0, dataByteCount: Int64, metadataByteCount: Int64,
        digest: UInt64, createdAt: Int64, checksum: UInt32 = 0
    ) {
        self.id = id
        self.offset = offset
        self.dataByteCount = dataByteCount
        self.metadataByteCount = metadataByteCount
        self.digest = digest
        self.createdAt = createdAt
        self.checksum = checksum
    }

    /// Data and metadata.
    public var byteCount: Int64 { dataByteCount + metadataByteCount }

    /// Bytes that it takes in the file.
    public var recordByteCount: Int64 { Int64(SpillFormat.headerByteCount) + byteCount }
}

/// What a spill file looks like; all numbers little-endian.
///
/// Records: a header each, then data, then metadata. After the last record the headers of all once
/// more, so that the file's content is known from its end; then a trailer: where they start (8),
/// how many there are (4), their checksum (4), and 8 bytes that name the format.
enum SpillFormat {
    /// Id (20), checksum of the content (4), offset, data and metadata bytes, digest, creation time
    /// (8 each), checksum of the 64 bytes before (4), zeros (4).
    static let headerByteCount = 72
    static let trailerByteCount = 24
    /// "GCSPILL1" as bytes in this order.
    static let magic: UInt64 = 0x314c_4c49_5053_4347

    static func store(_ object: SpilledObject, to bytes: UnsafeMutableRawPointer) {
        object.id.store(to: bytes)
        bytes.storeBytes(of: object.checksum.littleEndian, toByteOffset: 20, as: UInt32.self)
        let numbers = [
            object.offset, object.dataByteCount, object.metadataByteCount,
            Int64(bitPattern: object.digest), object.createdAt,
        ]
        for (index, number) in numbers.enumerated() {
            bytes.storeBytes(
                of: number.littleEndian, toByteOffset: 24 + 8 * index, as: Int64.self)
        }
        let sum = CRC32C.of(UnsafeRawBufferPointer(start: bytes, count: 64))
        bytes.storeBytes(of: sum.littleEndian, toByteOffset: 64, as: UInt32.self)
        bytes.storeBytes(of: 0, toByteOffset: 68, as: UInt32.self)
    }

    /// The header in 72 bytes; `nil` when its checksum is not that of its content.
    static func load(_ bytes: UnsafeRawBufferPointer) -> SpilledObject? {
        guard bytes.count >= headerByteCount, let base = bytes.baseAddress else { return nil }
        let sum = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 64, as: UInt32.self))
        guard sum == CRC32C.of(UnsafeRawBufferPointer(start: base, count: 64)) else { return nil }
        func number(_ index: Int) -> Int64 {
            Int64(
                littleEndian: base.loadUnaligned(fromByteOffset: 24 + 8 * index, as: Int64.self))
        }
        let object = SpilledObject(
            id: RecordID(loading: base), offset: number(0), dataByteCount: number(1),
            metadataByteCount: number(2), digest: UInt64(bitPattern: number(3)),
            createdAt: number(4),
            checksum: UInt32(
                littleEndian: base.loadUnaligned(fromByteOffset: 20, as: UInt32.self)))
        guard object.offset >= 0, object.dataByteCount >= 0, object.metadataByteCount >= 0,
            object.dataByteCount <= 1 << 60, object.metadataByteCount <= 1 << 60
        else { return nil }
        return object
    }
}
