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
        guard Self.isInHardware else { return updateInSoftware(bytes) }
        var start = base.assumingMemoryBound(to: UInt8.self)
        var count = bytes.count
        while count >= 3 * Self.runByteCount {
            updateByThree(start)
            start += 3 * Self.runByteCount
            count -= 3 * Self.runByteCount
        }
        state = gcs_crc32c_step(state, start, count)
    }

    /// Takes in three runs at the same time, each by itself, and puts their checksums together.
    private mutating func updateByThree(_ start: UnsafePointer<UInt8>) {
        withUnsafeTemporaryAllocation(of: UInt32.self, capacity: 3) { sums in
            sums.initialize(repeating: 0)
            sums[0] = state
            gcs_crc32c_three(sums.baseAddress, start, Self.runByteCount)
            state = Self.passingRun(Self.passingRun(sums[0]) ^ sums[1]) ^ sums[2]
        }
    }

    private static let runByteCount = 1024

    /// What a state becomes when a run of zeros is taken in.
    private static func passingRun(_ state: UInt32) -> UInt32 {
        runTable.withUnsafeBufferPointer { table in
            table[Int(state & 0xff)] ^ table[256 + Int(state >> 8 & 0xff)]
                ^ table[512 + Int(state >> 16 & 0xff)] ^ table[768 + Int(state >> 24)]
        }
    }

    /// The same for each value of each byte of a state; taking in zeros is linear, so bits are enough to know it.
    private static let runTable: [UInt32] = {
        let zeros = [UInt8](repeating: 0, count: runByteCount)
        let bits: [UInt32] = (0..<32).map { bit in
            var sum = CRC32C()
            sum.state = 1 << UInt32(bit)
            zeros.withUnsafeBytes { sum.updateInSoftware($0) }
            return sum.state
        }
        return (0..<1024).map { entry in
            let (byte, value) = (entry >> 8, entry & 0xff)
            return (0..<8).reduce(0) { value >> $1 & 1 == 1 ? $0 ^ bits[byte * 8 + $1] : $0 }
        }
    }()

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
