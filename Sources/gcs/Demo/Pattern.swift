internal import Glibc
internal import Identifiers

/// The bytes of an object, which follow from its id: what is read back can be checked.
enum Pattern {
    /// The id and four bytes that depend on it, over and over.
    private static func period(_ id: RecordID) -> [UInt8] {
        let mark = UInt32(truncatingIfNeeded: id.unique) &* 2_654_435_761 ^ id.index
        return id.bytes + (0..<4).map { UInt8(truncatingIfNeeded: mark >> (8 * $0)) }
    }

    /// Writes the bytes of the object.
    static func fill(_ buffer: UnsafeMutableRawBufferPointer, for id: RecordID) {
        let period = period(id)
        guard let base = buffer.baseAddress else { return }
        var filled = min(period.count, buffer.count)
        memcpy(base, period, filled)
        while filled < buffer.count {
            let count = min(filled, buffer.count - filled)
            memcpy(base + filled, base, count)
            filled += count
        }
    }

    /// Whether the buffer holds the bytes of the object, all of them.
    static func matches(
        _ buffer: UnsafeRawBufferPointer, for id: RecordID, byteCount: Int
    ) -> Bool {
        guard buffer.count == byteCount, let base = buffer.baseAddress else { return false }
        let period = period(id)
        let head = min(period.count, byteCount)
        // Bytes repeat when the buffer equals itself one period on.
        return memcmp(base, period, head) == 0 && memcmp(base + head, base, byteCount - head) == 0
    }
}
