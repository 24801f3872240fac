internal import Glibc

/// What a `Pool` keeps: plain bytes that can be a link of the pool's free list.
protocol Pooled: BitwiseCopyable {
    /// The next free slot while this one is free.
    var nextFree: UInt32 { get set }
    /// What a slot holds while it is free.
    static var free: Self { get }
}

/// Elements under stable slot numbers 1, 2, ...; 0 means "none" wherever a slot is kept.
///
/// One block that grows by doubling: the C library moves large blocks by remapping their pages, so
/// growing never copies much at once.
struct Pool<Element: Pooled>: ~Copyable {
    private var base: UnsafeMutablePointer<Element>?
    private var capacity = 0
    private var firstFree: UInt32 = 0
    /// Slots ever used; they are `1...slotCount`.
    private(set) var slotCount = 0
    /// Slots in use.
    private(set) var count = 0

    deinit { Glibc.free(base) }

    /// The element of a slot in use, or what `Element.free` left there.
    subscript(slot: UInt32) -> Element {
        @inline(__always) unsafeAddress { UnsafePointer(address(slot)) }
        @inline(__always) unsafeMutableAddress { address(slot) }
    }

    /// Where the element of a slot is; valid until the next insertion or removal.
    @inline(__always)
    func address(_ slot: UInt32) -> UnsafeMutablePointer<Element> {
        precondition(slot != 0 && slot <= UInt32(truncatingIfNeeded: slotCount), "no such slot")
        return base.unsafelyUnwrapped + Int(slot) - 1
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
        if slotCount == capacity { grow() }
        slotCount += 1
        (base.unsafelyUnwrapped + slotCount - 1).initialize(to: Element.free)
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
        let wanted = max(2 * capacity, 64)
        precondition(wanted < Int(UInt32.max), "too many entries")
        guard let grown = realloc(base, wanted * MemoryLayout<Element>.stride) else {
            preconditionFailure("no memory for \(wanted) entries")
        }
        base = grown.assumingMemoryBound(to: Element.self)
        capacity = wanted
    }

    /// The block of an empty pool, when it is worth giving up.
    mutating func takeBlock() -> (base: UnsafeMutableRawPointer, byteCount: Int)? {
        guard isWorthFreeing, let block = base else { return nil }
        defer {
            base = nil
            capacity = 0
        }
        return (UnsafeMutableRawPointer(block), capacity * MemoryLayout<Element>.stride)
    }

    /// Whether `takeBlock()` has something to give.
    var isWorthFreeing: Bool { count == 0 && capacity > 4096 }

    private mutating func forgetSlots() {
        firstFree = 0
        slotCount = 0
    }
}
