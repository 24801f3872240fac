internal import Glibc

/// Memory for everything whose count grows with the data: blocks of classed sizes, carved from 1 MiB
/// chunks that go back to the system when their last block is freed.
///
/// A hundred thousand small batches share chunks; a large batch takes whole ones. Not `malloc`: its
/// arenas keep what was freed out of order (measured: all of it), and freeing must take bounded time.
public struct Pool: ~Copyable {
    /// Bytes of a chunk, and its alignment.
    static let chunkByteCount = 1 << 20
    /// Empty chunks kept for the next user; more are unmapped.
    static let spareCountMax = 16
    /// Blocks larger than this are whole chunks.
    static let blockByteCountMax = 256 << 10

    /// Chunks mapped at a time: mapping waits while another thread maps or unmaps something, and that one
    /// for a processor.
    private static let mappedCount = 16

    private var spares: [UnsafeMutableRawPointer] = []
    /// Chunks that are mapped and were never handed out.
    private var untouched: (start: UnsafeMutableRawPointer?, count: Int) = (nil, 0)
    /// For each size class, the chunks with free blocks, linked through their headers.
    private var partial: UnsafeMutablePointer<UnsafeMutablePointer<ChunkHeader>?>
    /// Chunks handed out and not unmapped, spare ones included.
    private(set) var chunkCount = 0

    private static let classCount = 64 + 8 * 8

    init() {
        partial = .allocate(capacity: Self.classCount)
        partial.initialize(repeating: nil, count: Self.classCount)
    }

    /// Unmaps what is on a list: chunks in which every block was taken stay.
    ///
    /// A program ends with its pool; a process with one store after the other must not run out of mappings.
    deinit {
        for spare in spares { munmap(spare, Self.chunkByteCount) }
        if untouched.count > 0 { munmap(untouched.start, untouched.count * Self.chunkByteCount) }
        for index in 0..<Self.classCount {
            var next = partial[index]
            while let chunk = next {
                next = chunk.pointee.next
                munmap(chunk, Self.chunkByteCount)
            }
        }
        partial.deallocate()
    }

    /// The first bytes of a chunk that is cut into blocks.
    private struct ChunkHeader {
        var blockByteCount: Int
        var classIndex: Int32
        var freeCount: Int32
        var capacity: Int32
        /// Blocks handed out at least once; the rest was never touched.
        var touchedCount: Int32
        var freed: UnsafeMutableRawPointer?
        var next: UnsafeMutablePointer<ChunkHeader>?
        var previous: UnsafeMutablePointer<ChunkHeader>?
    }

    private static let headerByteCount = 64

    /// A whole chunk; its contents are undefined.
    mutating func takeChunk() -> UnsafeMutableRawPointer {
        if let spare = spares.popLast() { return spare }
        if untouched.count == 0 { map() }
        guard let chunk = untouched.start else { preconditionFailure("a mapping without chunks") }
        untouched = (chunk + Self.chunkByteCount, untouched.count - 1)
        chunkCount += 1
        return chunk
    }

    /// Maps the next chunks, aligned; they take no memory before they are written to.
    private mutating func map() {
        let size = Self.chunkByteCount
        let wide = mapped((Self.mappedCount + 1) * size)
        let head = -Int(bitPattern: wide) & (size - 1)
        if head > 0 { munmap(wide, head) }
        munmap(wide + head + Self.mappedCount * size, size - head)
        untouched = (wide + head, Self.mappedCount)
    }

    private func mapped(_ byteCount: Int) -> UnsafeMutableRawPointer {
        guard
            let start = mmap(
                nil, byteCount, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
            start != MAP_FAILED
        else {
            preconditionFailure("the system has no memory left for \(byteCount) bytes of records")
        }
        return start
    }

    /// Gives a whole chunk back.
    mutating func giveChunk(_ chunk: UnsafeMutableRawPointer) {
        if spares.count < Self.spareCountMax { return spares.append(chunk) }
        munmap(chunk, Self.chunkByteCount)
        chunkCount -= 1
    }

    /// Multiples of 16 bytes up to 1 KiB, then eight classes for each doubling.
    private static func classIndex(for byteCount: Int) -> Int {
        if byteCount <= 1024 { return (byteCount + 15) >> 4 - 1 }
        let top = Int.bitWidth - 1 - (byteCount - 1).leadingZeroBitCount  // 2^top < byteCount
        let step = (byteCount - 1 - 1 << top) >> (top - 3)
        return 64 + (top - 10) * 8 + step
    }

    private static func blockByteCount(ofClass index: Int) -> Int {
        if index < 64 { return (index + 1) << 4 }
        let top = 10 + (index - 64) / 8
        return 1 << top + ((index - 64) % 8 + 1) << (top - 3)
    }

    /// What `take(byteCount)` really gives.
    static func grantedByteCount(for byteCount: Int) -> Int {
        blockByteCount(ofClass: classIndex(for: byteCount))
    }

    /// A block of at least `byteCount` bytes, at most `blockByteCountMax`; its contents are undefined.
    ///
    /// Blocks of a multiple of 64 bytes are aligned to 64, others to 16.
    mutating func take(_ byteCount: Int) -> UnsafeMutableRawPointer {
        precondition(byteCount > 0 && byteCount <= Self.blockByteCountMax, "no such block")
        let index = Self.classIndex(for: byteCount)
        let chunk = partial[index] ?? newBlockChunk(classIndex: index)
        chunk.pointee.freeCount -= 1
        let block: UnsafeMutableRawPointer
        if let freed = chunk.pointee.freed {
            block = freed
            chunk.pointee.freed = freed.load(as: UnsafeMutableRawPointer?.self)
        } else {
            block =
                UnsafeMutableRawPointer(chunk) + Self.headerByteCount
                + Int(chunk.pointee.touchedCount) * chunk.pointee.blockByteCount
            chunk.pointee.touchedCount += 1
        }
        if chunk.pointee.freeCount == 0 { unlink(chunk) }
        return block
    }

    private mutating func newBlockChunk(classIndex: Int) -> UnsafeMutablePointer<ChunkHeader> {
        let byteCount = Self.blockByteCount(ofClass: classIndex)
        let capacity = Int32((Self.chunkByteCount - Self.headerByteCount) / byteCount)
        let chunk = takeChunk().bindMemory(to: ChunkHeader.self, capacity: 1)
        chunk.initialize(
            to: ChunkHeader(
                blockByteCount: byteCount, classIndex: Int32(classIndex), freeCount: capacity,
                capacity: capacity, touchedCount: 0))
        link(chunk)
        return chunk
    }

    private mutating func link(_ chunk: UnsafeMutablePointer<ChunkHeader>) {
        let index = Int(chunk.pointee.classIndex)
        chunk.pointee.previous = nil
        chunk.pointee.next = partial[index]
        partial[index]?.pointee.previous = chunk
        partial[index] = chunk
    }

    private mutating func unlink(_ chunk: UnsafeMutablePointer<ChunkHeader>) {
        if let previous = chunk.pointee.previous {
            previous.pointee.next = chunk.pointee.next
        } else {
            partial[Int(chunk.pointee.classIndex)] = chunk.pointee.next
        }
        chunk.pointee.next?.pointee.previous = chunk.pointee.previous
    }

    /// Gives a block back.
    ///
    /// - Returns: the bytes it had.
    @discardableResult
    mutating func give(_ block: UnsafeMutableRawPointer) -> Int {
        let start = Int(bitPattern: block) & ~(Self.chunkByteCount - 1)
        guard let chunk = UnsafeMutablePointer<ChunkHeader>(bitPattern: start) else {
            preconditionFailure("a block outside of every chunk")
        }
        let byteCount = chunk.pointee.blockByteCount
        block.storeBytes(of: chunk.pointee.freed, as: UnsafeMutableRawPointer?.self)
        chunk.pointee.freed = block
        chunk.pointee.freeCount += 1
        if chunk.pointee.freeCount == 1 { link(chunk) }
        if chunk.pointee.freeCount == chunk.pointee.capacity {
            unlink(chunk)
            giveChunk(UnsafeMutableRawPointer(chunk))
        }
        return byteCount
    }
}
