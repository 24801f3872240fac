/// A task's, object's or actor's id: 20 bytes, batch (8, big-endian) | unique part (8) | index (4).
///
/// Index 0 is the task itself, 1... are its return values, the top bit set marks a put. The three
/// parts are kept as big-endian numbers, so that `<` is the order of the bytes.
public struct RecordID: Hashable, Sendable, BitwiseCopyable {
    /// The first eight bytes.
    public var batch: BatchID
    /// The next eight bytes, read big-endian.
    public var unique: UInt64
    /// The last four bytes, read big-endian.
    public var index: UInt32

    /// Bytes of an id on the wire.
    public static let byteCount = 20

    /// An id from its three parts.
    @inlinable @inline(__always)
    public init(batch: BatchID, unique: UInt64, index: UInt32) {
        self.batch = batch
        self.unique = unique
        self.index = index
    }

    /// Reads 20 raw bytes.
    @inlinable @inline(__always)
    public init(loading bytes: UnsafeRawPointer) {
        batch = BatchID(rawValue: Int64(bigEndian: bytes.loadUnaligned(as: Int64.self)))
        unique = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        index = UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
    }

    /// Writes 20 raw bytes.
    @inlinable @inline(__always)
    public func store(to bytes: UnsafeMutableRawPointer) {
        bytes.storeBytes(of: batch.rawValue.bigEndian, as: Int64.self)
        bytes.storeBytes(of: unique.bigEndian, toByteOffset: 8, as: UInt64.self)
        bytes.storeBytes(of: index.bigEndian, toByteOffset: 16, as: UInt32.self)
    }

    /// The 20 raw bytes.
    public var bytes: [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.byteCount) { buffer, count in
            if let base = buffer.baseAddress { store(to: base) }
            count = Self.byteCount
        }
    }

    /// The id of the task that makes this object.
    public var task: RecordID { RecordID(batch: batch, unique: unique, index: 0) }
}

extension RecordID {
    /// Reads 20 raw bytes; `nil` for any other count.
    public init?(_ bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self = bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else {
                preconditionFailure("20 bytes without an address")
            }
            return RecordID(loading: base)
        }
    }

    /// Reads 40 hexadecimal digits of either case; `nil` for anything else.
    public init?(hex: String) {
        var text = hex
        let id: RecordID?? = text.withUTF8 { buffer in
            guard buffer.count == 2 * Self.byteCount, let base = buffer.baseAddress else {
                return nil
            }
            return RecordID(hexDigits: base)
        }
        guard let id, let id else { return nil }
        self = id
    }

    /// Reads 40 hexadecimal digits of either case; `nil` when one is not a digit.
    @inlinable
    public init?(hexDigits digits: UnsafePointer<UInt8>) {
        var parts: (UInt64, UInt64, UInt64) = (0, 0, 0)
        guard Self.read(digits, 16, into: &parts.0), Self.read(digits + 16, 16, into: &parts.1),
            Self.read(digits + 32, 8, into: &parts.2)
        else { return nil }
        self.init(
            batch: BatchID(rawValue: Int64(bitPattern: parts.0)), unique: parts.1,
            index: UInt32(truncatingIfNeeded: parts.2))
    }

    @inlinable
    static func read(_ digits: UnsafePointer<UInt8>, _ count: Int, into value: inout UInt64) -> Bool
    {
        for position in 0..<count {
            let digit: UInt8
            switch digits[position] {
            case let byte where byte >= 0x30 && byte <= 0x39: digit = byte &- 0x30
            case let byte where byte >= 0x61 && byte <= 0x66: digit = byte &- 0x61 &+ 10
            case let byte where byte >= 0x41 && byte <= 0x46: digit = byte &- 0x41 &+ 10
            default: return false
            }
            value = value << 4 | UInt64(digit)
        }
        return true
    }

    /// Writes 40 lower-case hexadecimal digits.
    @inlinable
    public func storeHex(to digits: UnsafeMutablePointer<UInt8>) {
        Self.write(UInt64(bitPattern: batch.rawValue), 16, to: digits)
        Self.write(unique, 16, to: digits + 16)
        Self.write(UInt64(index), 8, to: digits + 32)
    }

    @inlinable
    static func write(_ value: UInt64, _ count: Int, to digits: UnsafeMutablePointer<UInt8>) {
        var rest = value
        for position in stride(from: count - 1, through: 0, by: -1) {
            let digit = UInt8(truncatingIfNeeded: rest & 15)
            digits[position] = digit < 10 ? digit &+ 0x30 : digit &- 10 &+ 0x61
            rest >>= 4
        }
    }
}

extension RecordID: CustomStringConvertible {
    /// 40 lower-case hexadecimal digits.
    public var description: String {
        String(unsafeUninitializedCapacity: 2 * Self.byteCount) { buffer in
            if let base = buffer.baseAddress { storeHex(to: base) }
            return 2 * Self.byteCount
        }
    }
}
