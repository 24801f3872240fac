internal import Glibc

/// Large blocks of memory that nobody uses any more, freed piece by piece.
///
/// Unmapping 20 MB takes the kernel more than a millisecond: too long between two clients.
struct Trash: ~Copyable {
    private var blocks: [(base: UnsafeMutableRawPointer, byteCount: Int)] = []

    /// Blocks below this are freed at once.
    static let byteCountMin = 256 << 10
    private static let pieceByteCount = 64 << 10
    private static let pageByteCount = 4096

    deinit { for block in blocks { free(block.base) } }

    var isEmpty: Bool { blocks.isEmpty }

    /// Takes over a block from the C library's allocator.
    mutating func append(_ block: (base: UnsafeMutableRawPointer, byteCount: Int)?) {
        guard let block else { return }
        if block.byteCount < Self.byteCountMin { free(block.base) } else { blocks.append(block) }
    }

    /// Gives one piece back to the system.
    ///
    /// - Returns: whether there was one.
    mutating func freePiece() -> Bool {
        guard let (base, byteCount) = blocks.last else { return false }
        let page = UInt(Self.pageByteCount)
        let start = (UInt(bitPattern: base) + page - 1) & ~(page - 1)
        let end = (UInt(bitPattern: base) + UInt(byteCount)) & ~(page - 1)
        guard end > start else {
            free(base)
            blocks.removeLast()
            return true
        }
        // The pages go from the end; the empty block is freed last, which is quick then.
        let piece = min(end - start, UInt(Self.pieceByteCount))
        madvise(UnsafeMutableRawPointer(bitPattern: end - piece), Int(piece), MADV_DONTNEED)
        blocks[blocks.count - 1].byteCount = Int(end - piece - UInt(bitPattern: base))
        return true
    }
}
