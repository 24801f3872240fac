internal import Identifiers

/// Batches by id and by slot.
///
/// Grows a page at a time; slots of ended batches are used again.
struct BatchTable: ~Copyable {
    private struct Slot {
        var batch: BatchPointer?
        /// Counts the batches that lived here, so that a link to an earlier one is known as dead.
        var generation: UInt32
        var nextFree: UInt32
    }

    private static let pageShift = 12

    private var index = HashIndex()
    private var pages: [UnsafeMutablePointer<Slot>] = []
    private var firstFree = none
    /// Slots in use or used before; every batch's slot is below.
    private(set) var slotCount: UInt32 = 0
    private var last: BatchPointer?

    /// Batches that live, the root included.
    var count: Int { Int(index.count) }

    deinit {
        for page in pages { page.deallocate() }
    }

    @inline(__always)
    private func slot(_ number: UInt32) -> UnsafeMutablePointer<Slot> {
        pages[Int(number >> UInt32(Self.pageShift))] + Int(number) & (1 << Self.pageShift - 1)
    }

    /// The batch in a slot, if one lives there.
    func batch(atSlot number: UInt32) -> BatchPointer? {
        guard number < slotCount else { return nil }
        return slot(number).pointee.batch
    }

    func generation(ofSlot number: UInt32) -> UInt32 { slot(number).pointee.generation }

    /// The batch that was linked to by slot and generation, if it still lives.
    @inline(__always)
    func batch(atSlot number: UInt32, generation: UInt32) -> BatchPointer? {
        let entry = slot(number)
        return entry.pointee.generation == generation ? entry.pointee.batch : nil
    }

    @inline(__always)
    mutating func find(_ id: BatchID, _ seeds: HashSeeds) -> BatchPointer? {
        if let last, last.pointee.id == id { return last }
        let hash = seeds.hash(UInt64(bitPattern: id.rawValue))
        guard let place = index.find(hash, isMatch: { batch(atSlot: $0)?.pointee.id == id }) else {
            return nil
        }
        last = slot(place.pointee).pointee.batch
        return last
    }

    /// Adds a batch whose id is not there; gives it its slot.
    mutating func insert(_ batch: BatchPointer, _ memory: inout Memory) {
        var number = firstFree
        if number != none {
            firstFree = slot(number).pointee.nextFree
        } else {
            number = slotCount
            if Int(number) == pages.count << Self.pageShift {
                pages.append(.allocate(capacity: 1 << Self.pageShift))
            }
            slotCount += 1
            slot(number).initialize(to: Slot(batch: nil, generation: 0, nextFree: none))
        }
        batch.pointee.slot = number
        slot(number).pointee.batch = batch
        let seeds = memory.seeds
        let hash = seeds.hash(UInt64(bitPattern: batch.pointee.id.rawValue))
        var grown = index
        grown.insert(hash, number, &memory.pool) { other in
            guard let batch = self.batch(atSlot: other) else {
                preconditionFailure("an indexed slot without a batch")
            }
            return seeds.hash(UInt64(bitPattern: batch.pointee.id.rawValue))
        }
        index = grown
    }

    /// Frees the index of a table whose batches are freed, in slices; nothing is found in it any more.
    mutating func dropIndex(
        _ position: inout UInt64, budget: inout Int, _ memory: inout Memory
    ) -> Bool {
        index.drop(&position, budget: &budget, &memory.pool)
    }

    /// Takes a batch out; links to it are dead from now on.
    mutating func remove(_ batch: BatchPointer, _ seeds: HashSeeds) {
        let number = batch.pointee.slot
        var edited = index
        _ = edited.remove(seeds.hash(UInt64(bitPattern: batch.pointee.id.rawValue))) {
            $0 == number
        }
        index = edited
        let entry = slot(number)
        entry.pointee.batch = nil
        entry.pointee.generation &+= 1
        entry.pointee.nextFree = firstFree
        firstFree = number
        last = nil
    }
}
