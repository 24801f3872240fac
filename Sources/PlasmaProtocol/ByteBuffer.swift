internal import Glibc

/// Bytes in one block: filled at the end, consumed at the front; holds no memory until used.
public struct ByteBuffer: ~Copyable {
    private var base: UnsafeMutableRawPointer?
    private var start = 0
    private var end = 0
    /// Bytes the block has room for.
    private var capacity = 0
    /// Bytes of the block that were ever filled: what it takes of memory.
    public private(set) var touchedByteCount = 0

    /// What is left in a larger block moves to its front only when it is at most half of it.
    private static let movedByteCountMax = 64 << 10
    /// Growing never copies more than this.
    private static let copiedByteCountMax = 64 << 10
    /// Bytes that a larger block has at least: the system maps it, and moves its pages when it grows.
    private static let mappedByteCountMin = 1 << 20
    /// A block for as much at most that is known to be all does not grow: it may be an ordinary one, which is had
    /// and given back faster.
    private static let expectedByteCountMax = 256 << 10

    /// An empty buffer without memory.
    public init() {}

    deinit { free(base) }

    /// Bytes filled and not consumed.
    public var count: Int { end - start }

    /// Whether nothing waits to be consumed.
    public var isEmpty: Bool { end == start }

    /// What was filled and not consumed; valid until the next change.
    public var bytes: UnsafeRawBufferPointer {
        guard let base, end > start else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(start: base + start, count: end - start)
    }

    /// A copy of what was filled and not consumed.
    public var array: [UInt8] { [UInt8](bytes) }

    /// Room for `byteCount` more bytes, not initialised; follow with `commit(_:)`.
    ///
    /// - Parameter expected: bytes that come from now on in all, where that is known; otherwise 0.
    public mutating func reserve(
        _ byteCount: Int, expecting expected: Int = 0
    ) -> UnsafeMutableRawPointer {
        precondition(byteCount >= 0, "room for \(byteCount) bytes")
        if let base, capacity - end >= byteCount { return base + end }
        return makeRoom(byteCount, expected)
    }

    /// Counts the first `byteCount` bytes of the room that `reserve(_:)` gave as filled.
    public mutating func commit(_ byteCount: Int) {
        precondition(byteCount >= 0 && end + byteCount <= capacity, "filled more than reserved")
        end += byteCount
        touchedByteCount = max(touchedByteCount, end)
    }

    /// Forgets the first `byteCount` bytes.
    public mutating func consume(_ byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= count, "consumed more than filled")
        start += byteCount
        if start == end {
            start = 0
            end = 0
        }
    }

    /// Forgets what was filled beyond the first `byteCount` bytes.
    public mutating func shorten(to byteCount: Int) {
        precondition(byteCount >= 0 && byteCount <= count, "shortened to more than filled")
        end = start + byteCount
    }

    /// Appends a copy of `source`.
    public mutating func append(_ source: UnsafeRawBufferPointer) {
        guard let from = source.baseAddress, source.count > 0 else { return }
        reserve(source.count).copyMemory(from: from, byteCount: source.count)
        commit(source.count)
    }

    /// Empties the buffer and gives its block back when that takes more than `keeping` bytes.
    public mutating func reset(keeping: Int = 0) {
        start = 0
        end = 0
        guard touchedByteCount > keeping else { return }
        free(base)
        base = nil
        capacity = 0
        touchedByteCount = 0
    }

    /// Gives up the block of an empty buffer, and says how many bytes of it take memory; the caller
    /// frees it with the C library's `free`.
    public mutating func takeBlock() -> (base: UnsafeMutableRawPointer, byteCount: Int)? {
        precondition(isEmpty, "a block taken from a buffer in use")
        guard let block = base else { return nil }
        defer {
            base = nil
            capacity = 0
            touchedByteCount = 0
        }
        return (block, touchedByteCount)
    }

    private mutating func makeRoom(
        _ byteCount: Int, _ expected: Int
    ) -> UnsafeMutableRawPointer {
        let filled = end - start
        // What is left of a long queue is not moved again and again for little room.
        if let base, start > 0, start >= filled || capacity <= Self.movedByteCountMax {
            memmove(base, base + start, filled)
            start = 0
            end = filled
            if capacity - end >= byteCount { return base + end }
        }
        // Doubling keeps appending linear.
        var wanted = max(end + byteCount, 2 * capacity, 512)
        if expected >= byteCount, end + expected <= Self.expectedByteCountMax {
            wanted = max(end + expected, 512)
        } else if wanted > Self.copiedByteCountMax {
            wanted = max(wanted, Self.mappedByteCountMin)
        }
        guard let grown = realloc(base, wanted) else {
            preconditionFailure("no memory for a buffer of \(wanted) bytes")
        }
        base = grown
        capacity = wanted
        return grown + end
    }
}
