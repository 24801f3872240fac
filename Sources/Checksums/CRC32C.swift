internal import CProcessor

/// The checksum of Castagnoli, as in iSCSI: finds every error of up to 32 bits in a row.
///
/// - Source: RFC 3720, appendix B.4, whose examples are among the tests.
public struct CRC32C: Equatable, Sendable {
    private var state: UInt32 = 0xffff_ffff

    /// The checksum of nothing.
    public init() {}

    /// The checksum of all bytes so far.
    public var value: UInt32 { ~state }

    /// Takes in bytes.
    public mutating func update(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        if Self.isInHardware {
            let start = base.assumingMemoryBound(to: UInt8.self)
            state = gcs_crc32c_step(state, start, bytes.count)
        } else {
            updateInSoftware(bytes)
        }
    }

    /// The same without the processor's own instruction.
    mutating func updateInSoftware(_ bytes: UnsafeRawBufferPointer) {
        for byte in bytes {
            state = Self.table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ (state >> 8)
        }
    }

    /// The checksum of these bytes.
    public static func of(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        var sum = CRC32C()
        sum.update(bytes)
        return sum.value
    }

    private static let isInHardware = gcs_has_crc32c() != 0

    private static let table: [UInt32] = (0..<256).map { index in
        var value = UInt32(index)
        for _ in 0..<8 { value = value & 1 == 0 ? value >> 1 : (value >> 1) ^ 0x82f6_3b78 }
        return value
    }
}
