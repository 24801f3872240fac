/// What a `Pool` keeps: plain bytes that can be a link of the pool's free list.
protocol Pooled: BitwiseCopyable {
    /// The next free slot while this one is free.
    var nextFree: UInt32 { get set }
    /// What a slot holds while it is free.
    static var free: Self { get }
}

/// Elements under stable slot numbers 1, 2, ...; 0 means "none" wherever a slot is kept.
struct Pool<Element: Pooled>: ~Copyable {
    private var chunks = Chunks<Element>()
    private var firstFree: UInt32 = 0
    /// Slots ever used; they are `1...slotCount`.
    private(set) var slotCount = 0
    /// Slots in use.
    private(set) var count = 0

    /// The element of a slot in use, or what `Element.free` left there.
    subscript(slot: UInt32) -> Element {
        @inline(__always) unsafeAddress { UnsafePointer(address(slot)) }
        @inline(__always) unsafeMutableAddress { address(slot) }
    }

    /// Where the element of a slot is; it stays there.
    @inline(__always)
    func address(_ slot: UInt32) -> UnsafeMutablePointer<Element> {
        precondition(slot != 0 && slot <= UInt32(truncatingIfNeeded: slotCount), "no such slot")
        return chunks.address(Int(slot) - 1)
    }

    /// A slot for `element`.
    mutating func insert(_ element: Element) -> UInt32 {
        let slot = insert()
        self[slot] = element
        return slot
    }

    /// A slot that holds `Element.free`.
    mutating func insert() -> UInt32 {
        count += 1
        if firstFree != 0 {
            let slot = firstFree
            firstFree = self[slot].nextFree
            self[slot].nextFree = 0
            return slot
        }
        if slotCount == chunks.capacity { grow() }
        slotCount += 1
        chunks.address(slotCount - 1).initialize(to: Element.free)
        return UInt32(slotCount)
    }

    /// Frees a slot in use.
    mutating func remove(_ slot: UInt32) {
        self[slot] = Element.free
        self[slot].nextFree = firstFree
        firstFree = slot
        count -= 1
        if count == 0 { forgetSlots() }
    }

    private mutating func grow() {
        precondition(chunks.capacity < Int(UInt32.max) / 2, "too many entries")
        chunks.grow()
    }

    /// Whether there is more memory than an empty pool keeps.
    var hasSpareChunks: Bool { chunks.chunkCount > 1 }

    /// Whether `freeChunk()` has something to give back.
    var isWorthFreeing: Bool { count == 0 && hasSpareChunks }

    /// Gives a part of an empty pool's memory back to the system.
    ///
    /// - Returns: whether there was one.
    mutating func freeChunk() -> Bool {
        guard isWorthFreeing else { return false }
        chunks.shrink()
        return true
    }

    private mutating func forgetSlots() {
        firstFree = 0
        slotCount = 0
    }
}
