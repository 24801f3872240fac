internal import Glibc

/// Room for numbered elements that grows and shrinks at its end and never moves.
///
/// A block that grows by doubling is moved by the system page by page: 0.3 ms at 65,536 objects, during
/// which all clients wait, and all tables of the store come to that point at the same time.
struct Chunks<Element: BitwiseCopyable>: ~Copyable {
    /// Where the chunks are; this block is tiny, and grows by doubling.
    private var chunks: UnsafeMutablePointer<UnsafeMutablePointer<Element>>?
    private var chunkCapacity = 0
    private(set) var chunkCount = 0

    /// Bytes of a chunk at most: few enough to be given back in one go.
    private static var byteCountMax: Int { 128 << 10 }

    /// Elements of a chunk, as a power of two.
    @inline(__always)
    private static var shift: Int {
        let most = byteCountMax / MemoryLayout<Element>.stride
        return Int.bitWidth - 1 - most.leadingZeroBitCount
    }

    private static var chunkByteCount: Int { MemoryLayout<Element>.stride << shift }

    /// Elements there is room for.
    var capacity: Int { chunkCount << Self.shift }

    deinit {
        for index in 0..<chunkCount { munmap(chunks.unsafelyUnwrapped[index], Self.chunkByteCount) }
        free(chunks)
    }

    /// Where an element is; `index` must be below `capacity`.
    @inline(__always)
    func address(_ index: Int) -> UnsafeMutablePointer<Element> {
        chunks.unsafelyUnwrapped[index >> Self.shift] + (index & (1 << Self.shift - 1))
    }

    /// Adds a chunk; its elements are all zero bytes, and take no memory before they are written to.
    mutating func grow() {
        if chunkCount == chunkCapacity {
            chunkCapacity = max(16, 2 * chunkCapacity)
            let byteCount = chunkCapacity * MemoryLayout<UnsafeMutablePointer<Element>>.stride
            guard let grown = realloc(chunks, byteCount) else {
                preconditionFailure("no memory for a table of \(chunkCapacity) chunks")
            }
            chunks = grown.assumingMemoryBound(to: UnsafeMutablePointer<Element>.self)
        }
        let size = Self.chunkByteCount
        guard
            let start = mmap(
                nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            start != MAP_FAILED
        else { preconditionFailure("no memory for a chunk of \(size) bytes") }
        chunks.unsafelyUnwrapped[chunkCount] = start.assumingMemoryBound(to: Element.self)
        chunkCount += 1
    }

    /// Gives the last chunk back to the system.
    mutating func shrink() {
        precondition(chunkCount > 0, "no chunk to give back")
        chunkCount -= 1
        munmap(chunks.unsafelyUnwrapped[chunkCount], Self.chunkByteCount)
    }
}
