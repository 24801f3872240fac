/// Values of one size by number, in pages that go back to the pool when their last value is removed.
///
/// A value is 4 bytes or more; while its slot is free, its first 4 bytes link the free slots of the page.
/// Growing takes one page; what is there does not move. A handle: copies share the values, and only
/// the owner's copy may add and remove.
struct SlotPages<Value: BitwiseCopyable> {
    private struct Page {
        var base: UnsafeMutablePointer<Value>?
        var liveCount: UInt32 = 0
        /// Slots used at least once; the others were never touched.
        var touchedCount: UInt32 = 0
        var firstFree = none
        /// Links of the pages with room, or of the unused page numbers.
        var next = none
        var previous = none
    }

    private static var shift: UInt32 { 10 }
    private static var slotsPerPage: UInt32 { 1 << shift }

    private var pages: UnsafeMutablePointer<Page>?
    private var pageCount: UInt32 = 0
    private var pageCapacity: UInt32 = 0
    private var firstWithRoom = none
    private var firstUnused = none
    /// Values held.
    private(set) var count = 0

    /// Every value's number is below.
    var upperBound: UInt32 { pageCount << Self.shift }

    private func page(_ number: UInt32) -> UnsafeMutablePointer<Page> {
        guard let pages, number < pageCount else { preconditionFailure("a slot beyond all pages") }
        return pages + Int(number)
    }

    /// The value of a number in use.
    @inline(__always)
    subscript(number: UInt32) -> UnsafeMutablePointer<Value> {
        guard let pages, let base = pages[Int(number >> Self.shift)].base else {
            preconditionFailure("a slot in a page that is gone")
        }
        return base + Int(number & (Self.slotsPerPage &- 1))
    }

    /// The slot of a number, unless it was never used or its page is gone; it may be a free one.
    func slot(_ number: UInt32) -> UnsafeMutablePointer<Value>? {
        guard number < upperBound else { return nil }
        let page = page(number >> Self.shift).pointee
        let offset = number & (Self.slotsPerPage - 1)
        guard let base = page.base, offset < page.touchedCount else { return nil }
        return base + Int(offset)
    }

    /// Adds a value; its number stays the same while it is held.
    mutating func insert(_ value: Value, _ pool: inout Pool) -> UInt32 {
        if firstWithRoom == none { addPage(&pool) }
        let number = firstWithRoom
        let page = page(number)
        guard let base = page.pointee.base else {
            preconditionFailure("a page with room and no memory")
        }
        var offset = page.pointee.firstFree
        if offset != none {
            page.pointee.firstFree = UnsafeRawPointer(base + Int(offset)).load(as: UInt32.self)
        } else {
            offset = page.pointee.touchedCount
            page.pointee.touchedCount += 1
        }
        (base + Int(offset)).initialize(to: value)
        page.pointee.liveCount += 1
        if page.pointee.liveCount == Self.slotsPerPage { unlink(number) }
        count += 1
        return number << Self.shift | offset
    }

    /// Removes a value; what the slot holds after its first 4 bytes stays until the slot is used again.
    mutating func remove(_ slot: UInt32, _ pool: inout Pool) {
        let number = slot >> Self.shift
        let page = page(number)
        let offset = slot & (Self.slotsPerPage - 1)
        UnsafeMutableRawPointer(self[slot])
            .storeBytes(of: page.pointee.firstFree, as: UInt32.self)
        page.pointee.firstFree = offset
        if page.pointee.liveCount == Self.slotsPerPage { link(number) }
        page.pointee.liveCount -= 1
        count -= 1
        guard page.pointee.liveCount == 0, let base = page.pointee.base else { return }
        unlink(number)
        pool.give(UnsafeMutableRawPointer(base))
        page.pointee = Page()
        page.pointee.next = firstUnused
        firstUnused = number
    }

    private mutating func addPage(_ pool: inout Pool) {
        var number = firstUnused
        if number != none {
            firstUnused = page(number).pointee.next
        } else {
            precondition(pageCount < 1 << (32 - Self.shift) - 1, "a table of 2^32 values")
            if pageCount == pageCapacity { growDirectory() }
            number = pageCount
            pageCount += 1
        }
        let base = pool.take(Int(Self.slotsPerPage) * MemoryLayout<Value>.stride)
        page(number).initialize(
            to: Page(base: base.bindMemory(to: Value.self, capacity: Int(Self.slotsPerPage))))
        link(number)
    }

    /// 32 bytes for each page are copied: 64 KiB for 2 million values.
    private mutating func growDirectory() {
        let capacity = max(pageCapacity * 2, 4)
        let larger = UnsafeMutablePointer<Page>.allocate(capacity: Int(capacity))
        if let pages {
            larger.moveInitialize(from: pages, count: Int(pageCount))
            pages.deallocate()
        }
        pages = larger
        pageCapacity = capacity
    }

    private mutating func link(_ number: UInt32) {
        let page = page(number)
        page.pointee.previous = none
        page.pointee.next = firstWithRoom
        if firstWithRoom != none { self.page(firstWithRoom).pointee.previous = number }
        firstWithRoom = number
    }

    private mutating func unlink(_ number: UInt32) {
        let (next, previous) = (page(number).pointee.next, page(number).pointee.previous)
        if next != none { page(next).pointee.previous = previous }
        if previous != none { page(previous).pointee.next = next } else { firstWithRoom = next }
    }
}
