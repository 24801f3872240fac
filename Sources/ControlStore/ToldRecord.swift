internal import Glibc
public import Identifiers

/// What a part of the log tells of a record.
///
/// Lives only as long as the part's bytes.
public struct ToldRecord {
    var key: RecordKey
    var epoch: UInt8
    var bytes: UnsafeRawBufferPointer

    /// A record with the bytes that were told.
    public init(_ id: RecordID, _ traits: RecordTraits, _ bytes: UnsafeRawBufferPointer) {
        (key, epoch, self.bytes) = (RecordKey(id, traits.kind), traits.epoch, bytes)
    }

    /// Reads a command as `JournalWriter.record` writes it, without looking for words first: a log consists
    /// of little else.
    ///
    /// - Parameter byteCount: set to the bytes that the command takes.
    /// - Returns: `nil` for any other command.
    public init?(startOf commands: UnsafeRawBufferPointer, byteCount: inout Int) {
        let head = JournalWriter.recordHead
        guard let base = commands.baseAddress, commands.count > head.utf8CodeUnitCount,
            memcmp(base, head.utf8Start, head.utf8CodeUnitCount) == 0
        else { return nil }
        var reader = Reader(bytes: commands, offset: head.utf8CodeUnitCount)
        guard let word = reader.word(), let number = Reader.number(word),
            let traits = UInt8(exactly: number).flatMap({ RecordTraits(rawValue: $0) }),
            !traits.isStray,
            let id = reader.word(), id.count == RecordID.byteCount, let start = id.baseAddress,
            let payload = reader.word()
        else { return nil }
        self.init(RecordID(loading: start), traits, payload)
        byteCount = reader.offset
    }

    /// Reads bulk strings, one behind the other.
    private struct Reader {
        let bytes: UnsafeRawBufferPointer
        var offset: Int

        @inline(__always)
        mutating func word() -> UnsafeRawBufferPointer? {
            guard offset < bytes.count, bytes[offset] == UInt8(ascii: "$") else { return nil }
            var end = offset + 1
            while end < bytes.count, bytes[end] != UInt8(ascii: "\r") { end += 1 }
            let digits = UnsafeRawBufferPointer(rebasing: bytes[offset + 1..<end])
            guard let count = Self.number(digits), bytes.count - end >= count + 4 else {
                return nil
            }
            offset = end + count + 4
            return UnsafeRawBufferPointer(rebasing: bytes[end + 2..<end + 2 + count])
        }

        @inline(__always)
        static func number(_ digits: UnsafeRawBufferPointer) -> Int? {
            guard !digits.isEmpty, digits.count <= 18 else { return nil }
            var value = 0
            for digit in digits {
                guard digit >= UInt8(ascii: "0"), digit <= UInt8(ascii: "9") else { return nil }
                value = value &* 10 &+ Int(digit &- UInt8(ascii: "0"))
            }
            return value
        }
    }
}
