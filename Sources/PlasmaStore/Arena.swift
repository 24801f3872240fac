internal import Glibc

/// The memory that objects lie in: a few segments, one allocator over all of them.
struct Arena: ~Copyable {
    /// A piece of the arena.
    struct Piece: BitwiseCopyable {
        /// The allocator's block; 0 for a piece of no bytes.
        var block: UInt32
        var segment: Int32
        var offset: Int
    }

    /// Segments; clients keep one map for each, and a session remembers in 64 bits which it knows.
    static let segmentCountMax = 64
    /// Pages given back in one system call, which takes about a tenth of a millisecond.
    private static let punchPageCountMax = 128

    private let directory: String?
    private let hugePageByteCount: Int?
    private let segmentCountMax: Int
    private let segmentByteCount: Int
    /// Bytes that all segments together may have, used or not.
    private let byteCountMax: Int
    private var segments: UnsafeMutablePointer<Segment>
    private(set) var segmentCount = 0
    private var allocator = BlockAllocator()
    private(set) var byteCount = 0

    /// An arena for `capacity` bytes of objects.
    ///
    /// The first segment has a quarter more than the capacity; when free room is too scattered for
    /// an object, segments of a quarter are added, up to four times the capacity. They are sparse: what
    /// no object uses takes no memory.
    ///
    /// Huge pages are set aside by the system when they are mapped: there the first segment has
    /// the capacity and no more.
    init(
        capacity: Int, directory: String?, hugePageByteCount: Int? = nil,
        segmentCountMax: Int = Self.segmentCountMax - 16
    ) throws(ArenaError) {
        self.directory = directory
        self.hugePageByteCount = hugePageByteCount
        self.segmentCountMax = segmentCountMax
        segmentByteCount = max(capacity / 4, 1 << 20)
        byteCountMax = 4 * capacity + (16 << 20)
        segments = .allocate(capacity: Self.segmentCountMax)
        let granule = BlockAllocator.granuleByteCount
        try addSegment(
            hugePageByteCount == nil ? capacity + segmentByteCount : capacity + 2 * granule)
    }

    deinit {
        segments.deinitialize(count: segmentCount)
        segments.deallocate()
    }

    /// Room for `byteCount` bytes, aligned to 64; `nil` when there is none.
    mutating func allocate(_ byteCount: Int) -> Piece? {
        let granule = BlockAllocator.granuleByteCount
        guard byteCount > 0 else { return Piece(block: 0, segment: 0, offset: granule) }
        let count = (byteCount + granule - 1) / granule
        guard let block = allocator.take(count) ?? grow(for: count) else { return nil }
        let taken = allocator.block(block)
        let piece = Piece(block: block, segment: taken.segment, offset: taken.start * granule)
        let page = Segment.pageByteCount
        let end = piece.offset + count * granule
        segments[Int(piece.segment)].pages.mark(piece.offset / page..<(end + page - 1) / page)
        return piece
    }

    /// Frees a piece; `now` counts in the caller's unit, for `giveBack(before:)`.
    mutating func free(_ piece: Piece, now: UInt32) {
        if piece.block != 0 { allocator.giveBack(piece.block, now: now) }
    }

    /// Copies bytes into a piece; `false` when the file system has no room.
    func write(_ bytes: UnsafeRawBufferPointer, _ piece: Piece, at offset: Int) -> Bool {
        segments[Int(piece.segment)].write(bytes, at: piece.offset + offset)
    }

    /// The store's own address of a piece; `nil` where it has no map.
    func address(_ piece: Piece) -> UnsafeMutableRawPointer? {
        segments[Int(piece.segment)].address(piece.offset)
    }

    /// Has the file system set blocks aside for a piece; says why it cannot.
    func reserve(_ piece: Piece, _ byteCount: Int) -> ArenaError? {
        segments[Int(piece.segment)].reserve(piece.offset, byteCount)
    }

    /// The descriptor and the size that clients are told of a segment.
    func file(_ segment: Int32) -> (descriptor: Int32, byteCount: Int64) {
        (segments[Int(segment)].descriptor, segments[Int(segment)].fileByteCount)
    }

    /// Bytes of blocks in use, rounding included.
    var takenByteCount: Int {
        byteCount - allocator.freeGranuleCount * BlockAllocator.granuleByteCount
    }

    /// Whether free blocks may still hold memory.
    var hasIdleMemory: Bool { allocator.oldestIdle != nil }

    /// Gives one run of pages, free since before `limit`, back to the system.
    ///
    /// - Returns: whether there may be more to do now.
    mutating func giveBack(before limit: UInt32) -> Bool {
        guard let (slot, since) = allocator.oldestIdle,
            Int32(bitPattern: since &- limit) < 0
        else { return false }
        let block = allocator.block(slot)
        let page = Segment.pageByteCount
        let start = block.start * BlockAllocator.granuleByteCount
        let end = start + block.count * BlockAllocator.granuleByteCount
        let whole = (start + page - 1) / page..<max(end / page, (start + page - 1) / page)
        let segment = Int(block.segment)
        let run = segments[segment].pages.firstRun(in: whole, countMax: Self.punchPageCountMax)
        if let run { segments[segment].punch(run) } else { allocator.markClean(slot) }
        return true
    }

    /// Whether the allocator's own memory is large and holds nothing.
    var isWorthFreeing: Bool { allocator.isWorthFreeing }

    /// Gives a part of the allocator's own memory back when nothing is allocated; says whether
    /// there was one.
    mutating func freeChunk() -> Bool { allocator.freeChunk() }

    /// Whether the allocator's links are sound; O(blocks), for tests.
    func invariantsHold() -> Bool { allocator.invariantsHold() }

    private mutating func grow(for count: Int) -> UInt32? {
        let wanted = max(segmentByteCount, (count + 1) * BlockAllocator.granuleByteCount)
        guard segmentCount < segmentCountMax, byteCount + wanted <= byteCountMax else {
            return nil
        }
        do throws(ArenaError) { try addSegment(wanted) } catch { return nil }
        return allocator.take(count)
    }

    private mutating func addSegment(_ byteCount: Int) throws(ArenaError) {
        let segment = try Segment.open(
            byteCount: byteCount, directory: directory, hugePageByteCount: hugePageByteCount)
        let granule = BlockAllocator.granuleByteCount
        // The first granule stays unused: Arrow's first object is at 64 as well.
        let granules = 1..<segment.byteCount / granule
        allocator.addSegment(segmentCount, granules: granules)
        self.byteCount += granules.count * granule
        (segments + segmentCount).initialize(to: segment)
        segmentCount += 1
    }
}
