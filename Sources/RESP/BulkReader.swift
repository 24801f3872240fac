/// Reads bulk strings that lie in memory as a whole, where they are.
///
/// For those that we wrote; what a peer sends is for `RequestParser`.
@frozen
public struct BulkReader {
    /// Where the bytes are.
    public let bytes: UnsafeRawBufferPointer
    /// Where the next thing begins.
    public var offset: Int

    /// Begins at a place.
    @inlinable @inline(__always)
    public init(_ bytes: UnsafeRawBufferPointer, at offset: Int = 0) {
        self.bytes = bytes
        self.offset = offset
    }

    /// Reads a word; `nil`, and nothing is read, when there is none, or not all of it.
    @inlinable @inline(__always)
    public mutating func word() -> UnsafeRawBufferPointer? {
        let before = offset
        guard let count = count(), bytes.count - offset >= count + 2 else {
            offset = before
            return nil
        }
        let start = offset
        offset += count + 2
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + count])
    }

    /// Reads the length of a word.
    @inlinable @inline(__always)
    mutating func count() -> Int? {
        guard offset < bytes.count, bytes[offset] == UInt8(ascii: "$") else { return nil }
        var end = offset + 1
        while end < bytes.count, bytes[end] != UInt8(ascii: "\r") { end += 1 }
        let digits = UnsafeRawBufferPointer(rebasing: bytes[offset + 1..<end])
        guard let value = Self.number(digits), bytes.count - end >= 2 else { return nil }
        offset = end + 2
        return value
    }

    /// The number that decimal digits tell; `nil` for anything else.
    @inlinable @inline(__always)
    public static func number(_ digits: UnsafeRawBufferPointer) -> Int? {
        guard !digits.isEmpty, digits.count <= 18 else { return nil }
        var value = 0
        for digit in digits {
            guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
            value = value &* 10 &+ Int(digit &- UInt8(ascii: "0"))
        }
        return value
    }
}
