/// A sum of 64 bits over bytes, to notice files that are not what was written.
///
/// Two chains of multiplications over 16 bytes each; not meant against an adversary.
struct Checksum {
    private var first: UInt64 = 0x9E37_79B9_7F4A_7C15
    private var second: UInt64 = 0xC2B2_AE3D_27D4_EB4F
    private var byteCount: UInt64 = 0

    /// All parts but the last have to be multiples of this.
    static let unit = 32

    /// Adds a part.
    mutating func update(_ bytes: UnsafeRawBufferPointer) {
        byteCount &+= UInt64(bytes.count)
        var position = 0
        while position + Self.unit <= bytes.count {
            first = Self.mix(first, Self.word(bytes, position), Self.word(bytes, position + 8))
            second = Self.mix(
                second, Self.word(bytes, position + 16), Self.word(bytes, position + 24))
            position += Self.unit
        }
        while position < bytes.count {
            first = Self.mix(first, UInt64(bytes[position]), second)
            position += 1
        }
    }

    /// The sum of all that was added.
    var value: UInt64 { Self.mix(first ^ byteCount, second, 0xA076_1D64_78BD_642F) }

    @inline(__always)
    private static func word(_ bytes: UnsafeRawBufferPointer, _ position: Int) -> UInt64 {
        UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self))
    }

    @inline(__always)
    private static func mix(_ state: UInt64, _ one: UInt64, _ other: UInt64) -> UInt64 {
        // The odd constant keeps a word of zeros from making the product zero.
        let product = (state ^ one).multipliedFullWidth(by: other ^ 0xE703_7ED1_A0B4_28DB)
        return product.high ^ product.low &+ state
    }
}
