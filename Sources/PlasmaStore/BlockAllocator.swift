/// Which parts of the segments are taken: two-level segregated fit over granules of 64 bytes.
///
/// All bookkeeping lies in the process's own memory, where no client can touch it. Taking and
/// giving back are O(1); neighbours that are free are always merged.
///
/// - Source: Masmano, Ripoll, Crespo, Real, "TLSF: a new dynamic memory allocator for real-time
///   systems", ECRTS 2004.
struct BlockAllocator: ~Copyable {
    /// A run of granules in one segment.
    struct Block: Pooled {
        var start = 0
        var count = 0
        var segment: Int32 = 0
        var isFree = false
        /// Whether pages of this free block may still hold memory.
        var isIdle = false
        /// When it last grew, or first became idle; the list of idle blocks is in this order.
        var idleSince: UInt32 = 0
        /// When the oldest part of it became idle.
        var firstIdle: UInt32 = 0
        var before: UInt32 = 0
        var after: UInt32 = 0
        /// Neighbours in the free list of its class.
        var previousFree: UInt32 = 0
        var nextFree: UInt32 = 0
        /// Neighbours in the list of idle blocks.
        var previousIdle: UInt32 = 0
        var nextIdle: UInt32 = 0

        static var free: Block { Block() }
    }

    /// Bytes of a granule: what every block is aligned to.
    static let granuleByteCount = 64
    /// Idle blocks below this many granules are not worth a system call: 16 KiB.
    static let idleGranuleCountMin = 256
    /// Sub-classes per power of two, as a shift.
    private static let subShift = 5
    private static let subCount = 1 << subShift
    private static let classCount = 48
    /// An idle block that grows counts as young again up to this age, in the caller's unit: memory
    /// that is used over and over is not given back each time, and no memory stays for ever.
    private static let youngAgeMax: UInt32 = 2000
    /// Blocks looked at in a class that may or may not fit, before giving up.
    private static let probeCountMax = 64

    private var blocks = Pool<Block>()
    private var classMap: UInt64 = 0
    /// For each power of two, which sub-classes have blocks: in memory of its own, because reading one
    /// element of an array inside the struct copies all.
    private let subMaps: UnsafeMutablePointer<UInt32>
    private let heads: UnsafeMutablePointer<UInt32>
    private var idleHead: UInt32 = 0
    private var idleTail: UInt32 = 0
    /// Granules that are not taken.
    private(set) var freeGranuleCount = 0
    /// Granules of all segments.
    private(set) var granuleCount = 0

    init() {
        subMaps = .allocate(capacity: Self.classCount)
        subMaps.initialize(repeating: 0, count: Self.classCount)
        heads = .allocate(capacity: Self.classCount * Self.subCount)
        heads.initialize(repeating: 0, count: Self.classCount * Self.subCount)
    }

    deinit {
        subMaps.deallocate()
        heads.deallocate()
    }

    /// Blocks, free and taken.
    var blockCount: Int { blocks.count }

    /// A block in use or free; its slot stays valid until it is given back or merged.
    func block(_ slot: UInt32) -> Block { blocks[slot] }

    /// Adds a segment that is free from granule `start` on.
    mutating func addSegment(_ segment: Int, granules: Range<Int>) {
        var block = Block()
        block.start = granules.lowerBound
        block.count = granules.count
        block.segment = Int32(segment)
        let slot = blocks.insert(block)
        freeGranuleCount += granules.count
        granuleCount += granules.count
        insertFree(slot)
    }

    /// Takes `count` granules; `nil` when no free block was found that has as many.
    mutating func take(_ count: Int) -> UInt32? {
        precondition(count > 0, "a block of \(count) granules")
        guard let slot = find(count) else { return nil }
        let wasIdle = blocks[slot].isIdle
        let rest = blocks[slot].count - count
        removeFree(slot)
        if rest > 0 { split(slot, keeping: count, isRestIdle: wasIdle) }
        if wasIdle { removeIdle(slot) }
        freeGranuleCount -= count
        return slot
    }

    /// Gives a taken block back; `now` is when, for `oldestIdle`.
    mutating func giveBack(_ slot: UInt32, now: UInt32) {
        precondition(!blocks[slot].isFree, "a block given back twice")
        freeGranuleCount += blocks[slot].count
        var kept = slot
        let before = blocks[slot].before
        if before != 0, blocks[before].isFree {
            removeFree(before)
            merge(before, with: slot)
            kept = before
        }
        let after = blocks[kept].after
        if after != 0, blocks[after].isFree {
            removeFree(after)
            joinIdle(kept, after)
            merge(kept, with: after)
        }
        insertFree(kept)
        if blocks[kept].isIdle {
            guard now &- blocks[kept].firstIdle < Self.youngAgeMax else { return }
            let first = blocks[kept].firstIdle
            removeIdle(kept)
            appendIdle(kept, now: now)
            blocks[kept].firstIdle = first
        } else if blocks[kept].count >= Self.idleGranuleCountMin {
            appendIdle(kept, now: now)
        }
    }

    /// The free block that waits longest for its pages to be given back to the system.
    var oldestIdle: (slot: UInt32, since: UInt32)? {
        idleHead == 0 ? nil : (idleHead, blocks[idleHead].idleSince)
    }

    /// Forgets that the pages of a free block may hold memory.
    mutating func markClean(_ slot: UInt32) { removeIdle(slot) }
}

// MARK: - Own memory

extension BlockAllocator {
    /// Whether nothing is taken and the bookkeeping of earlier blocks is large.
    var isWorthFreeing: Bool { blocks.hasSpareChunks && freeGranuleCount == granuleCount }

    /// Gives a part of the bookkeeping's memory back when nothing is taken; says whether there was one.
    mutating func freeChunk() -> Bool {
        guard isWorthFreeing else { return false }
        // Everything has merged: one free block is left of each segment.
        var whole: [Block] = []
        while classMap != 0 {
            let first = classMap.trailingZeroBitCount
            let slot = heads[first * Self.subCount + subMaps[first].trailingZeroBitCount]
            whole.append(blocks[slot])
            if blocks[slot].isIdle { removeIdle(slot) }
            removeFree(slot)
            blocks.remove(slot)
        }
        let isFreed = blocks.freeChunk()
        for old in whole {
            var fresh = Block()
            fresh.start = old.start
            fresh.count = old.count
            fresh.segment = old.segment
            let slot = blocks.insert(fresh)
            insertFree(slot)
            guard old.isIdle else { continue }
            appendIdle(slot, now: old.idleSince)
            blocks[slot].firstIdle = old.firstIdle
        }
        return isFreed
    }
}

// MARK: - Classes

extension BlockAllocator {
    /// The class of blocks of `count` granules: a power of two and one of its 32 parts.
    private static func position(_ count: Int) -> (first: Int, second: Int) {
        guard count >= subCount else { return (0, count) }
        let power = Int.bitWidth - 1 - count.leadingZeroBitCount
        return (power - subShift + 1, (count >> (power - subShift)) & (subCount - 1))
    }

    private func find(_ count: Int) -> UInt32? {
        // Rounded up to the next class, whose blocks all fit.
        var wanted = count
        if count >= Self.subCount {
            let power = Int.bitWidth - 1 - count.leadingZeroBitCount
            wanted += (1 << (power - Self.subShift)) - 1
        }
        var (first, second) = Self.position(wanted)
        var subs = subMaps[first] & (~0 << UInt32(second))
        if subs == 0 {
            let classes = classMap & (~0 << UInt64(first + 1))
            guard classes != 0 else { return probe(count) }
            first = classes.trailingZeroBitCount
            subs = subMaps[first]
        }
        second = subs.trailingZeroBitCount
        return heads[first * Self.subCount + second]
    }

    /// Looks at a few blocks of the class in which some fit and some do not.
    private func probe(_ count: Int) -> UInt32? {
        let (first, second) = Self.position(count)
        var slot = heads[first * Self.subCount + second]
        var probeCount = 0
        while slot != 0, probeCount < Self.probeCountMax {
            if blocks[slot].count >= count { return slot }
            slot = blocks[slot].nextFree
            probeCount += 1
        }
        return nil
    }

    private mutating func insertFree(_ slot: UInt32) {
        let (first, second) = Self.position(blocks[slot].count)
        let head = first * Self.subCount + second
        let next = heads[head]
        blocks[slot].isFree = true
        blocks[slot].previousFree = 0
        blocks[slot].nextFree = next
        if next != 0 { blocks[next].previousFree = slot }
        heads[head] = slot
        classMap |= 1 << UInt64(first)
        subMaps[first] |= 1 << UInt32(second)
    }

    private mutating func removeFree(_ slot: UInt32) {
        let previous = blocks[slot].previousFree
        let next = blocks[slot].nextFree
        blocks[slot].isFree = false
        if next != 0 { blocks[next].previousFree = previous }
        if previous != 0 {
            blocks[previous].nextFree = next
            return
        }
        let (first, second) = Self.position(blocks[slot].count)
        heads[first * Self.subCount + second] = next
        guard next == 0 else { return }
        subMaps[first] &= ~(1 << UInt32(second))
        if subMaps[first] == 0 { classMap &= ~(1 << UInt64(first)) }
    }
}

// MARK: - Neighbours

extension BlockAllocator {
    /// Cuts a block that is in no free list; the rest becomes a free block after it.
    private mutating func split(_ slot: UInt32, keeping count: Int, isRestIdle: Bool) {
        var rest = Block()
        rest.start = blocks[slot].start + count
        rest.count = blocks[slot].count - count
        rest.segment = blocks[slot].segment
        rest.before = slot
        rest.after = blocks[slot].after
        let restSlot = blocks.insert(rest)
        if rest.after != 0 { blocks[rest.after].before = restSlot }
        blocks[slot].after = restSlot
        blocks[slot].count = count
        insertFree(restSlot)
        if isRestIdle, rest.count >= Self.idleGranuleCountMin { replaceIdle(slot, by: restSlot) }
    }

    /// Joins two neighbours, neither of them in a free list; `second` is gone afterwards.
    private mutating func merge(_ first: UInt32, with second: UInt32) {
        blocks[first].count += blocks[second].count
        let after = blocks[second].after
        blocks[first].after = after
        if after != 0 { blocks[after].before = first }
        blocks.remove(second)
    }
}

// MARK: - Idle blocks, oldest first

extension BlockAllocator {
    private mutating func appendIdle(_ slot: UInt32, now: UInt32) {
        blocks[slot].isIdle = true
        blocks[slot].idleSince = now
        blocks[slot].firstIdle = now
        blocks[slot].nextIdle = 0
        blocks[slot].previousIdle = idleTail
        if idleTail != 0 { blocks[idleTail].nextIdle = slot } else { idleHead = slot }
        idleTail = slot
    }

    /// Before `second` is merged into `first`: its place in the list and its age go along.
    private mutating func joinIdle(_ first: UInt32, _ second: UInt32) {
        guard blocks[second].isIdle else { return }
        guard blocks[first].isIdle else {
            replaceIdle(second, by: first)
            return
        }
        let age = blocks[second].firstIdle
        if Int32(bitPattern: age &- blocks[first].firstIdle) < 0 { blocks[first].firstIdle = age }
        removeIdle(second)
    }

    private mutating func removeIdle(_ slot: UInt32) {
        guard blocks[slot].isIdle else { return }
        let (previous, next) = (blocks[slot].previousIdle, blocks[slot].nextIdle)
        if previous != 0 { blocks[previous].nextIdle = next } else { idleHead = next }
        if next != 0 { blocks[next].previousIdle = previous } else { idleTail = previous }
        blocks[slot].isIdle = false
    }

    private mutating func replaceIdle(_ old: UInt32, by new: UInt32) {
        let (previous, next) = (blocks[old].previousIdle, blocks[old].nextIdle)
        blocks[new].previousIdle = previous
        blocks[new].nextIdle = next
        blocks[new].idleSince = blocks[old].idleSince
        blocks[new].firstIdle = blocks[old].firstIdle
        blocks[new].isIdle = true
        blocks[old].isIdle = false
        if previous != 0 { blocks[previous].nextIdle = new } else { idleHead = new }
        if next != 0 { blocks[next].previousIdle = new } else { idleTail = new }
    }
}

// MARK: - Invariants

extension BlockAllocator {
    /// Whether every link has its counterpart and no two free blocks touch; O(blocks), for tests.
    func invariantsHold() -> Bool {
        var free = 0
        for slot in 1...max(1, UInt32(blocks.slotCount)) where blocks.slotCount > 0 {
            let block = blocks[slot]
            guard block.count > 0 else { continue }
            if block.isFree { free += block.count }
            guard block.after != 0 else { continue }
            let after = blocks[block.after]
            guard after.before == slot, after.start == block.start + block.count,
                after.segment == block.segment, !(block.isFree && after.isFree)
            else { return false }
        }
        return free == freeGranuleCount
    }
}
