import Glibc
import Testing

@testable import PlasmaStore

/// A small generator with a printable state (Steele, Lea, Flood: SplitMix64, 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    /// A number in `0..<limit`, small ones more often.
    mutating func skewed(_ limit: Int) -> Int {
        let bits = Int(next() % UInt64(Int.bitWidth - limit.leadingZeroBitCount))
        return Int(next() % UInt64(1 << (bits + 1))) % limit
    }
}

@Suite struct AllocatorTests {
    @Test("blocks never overlap and everything merges again", arguments: 1...6)
    func agreesWithAModel(seed: UInt64) {
        var random = SplitMix(state: seed)
        let granuleCount = 1 << 16
        var allocator = BlockAllocator()
        allocator.addSegment(0, granules: 1..<granuleCount)
        allocator.addSegment(1, granules: 1..<granuleCount)
        var owner = [[UInt32]](repeating: Array(repeating: 0, count: granuleCount), count: 2)
        var taken: [(block: UInt32, count: Int)] = []
        var refusalCount = 0
        for step in 0..<6000 {
            if taken.isEmpty || random.next() % 100 < (step < 3000 ? 60 : 45) {
                let count = 1 + random.skewed(4000)
                guard let block = allocator.take(count) else {
                    refusalCount += 1
                    continue
                }
                let found = allocator.block(block)
                #expect(found.count == count)
                let segment = Int(found.segment)
                let range = found.start..<found.start + count
                #expect(found.start >= 1 && range.upperBound <= granuleCount)
                #expect(owner[segment][range].allSatisfy { $0 == 0 }, "seed \(seed) step \(step)")
                for granule in range { owner[segment][granule] = block }
                taken.append((block, count))
            } else {
                let index = Int(random.next() % UInt64(taken.count))
                taken.swapAt(index, taken.count - 1)
                let (block, count) = taken.removeLast()
                let found = allocator.block(block)
                for granule in found.start..<found.start + count {
                    owner[Int(found.segment)][granule] = 0
                }
                allocator.giveBack(block, now: UInt32(step))
            }
            if step % 100 == 0 {
                let isSound = allocator.invariantsHold()
                #expect(isSound, "seed \(seed) step \(step)")
            }
        }
        #expect(refusalCount > 0, "the segments were never full")
        for (block, _) in taken { allocator.giveBack(block, now: 0) }
        let blockCount = allocator.blockCount
        #expect(blockCount == 2)
        let whole = allocator.take(granuleCount - 1)
        #expect(whole != nil)
    }

    @Test func aBlockOfTheExactSizeIsFoundInsideItsClass() {
        var allocator = BlockAllocator()
        allocator.addSegment(0, granules: 1..<100_001)
        // 100 000 granules lie inside their class, which rounding up would skip.
        let block = allocator.take(100_000)
        #expect(block != nil)
        let none = allocator.take(1)
        #expect(none == nil)
    }

    @Test func theBookkeepingOfManyBlocksIsGivenUpWhenAllAreFree() {
        var allocator = BlockAllocator()
        allocator.addSegment(0, granules: 1..<20_001)
        allocator.addSegment(1, granules: 1..<10_001)
        var blocks: [UInt32] = []
        while let block = allocator.take(3) { blocks.append(block) }
        #expect(blocks.count > 9000)
        var isFreed = allocator.freeChunk()
        #expect(!isFreed)
        for block in blocks { allocator.giveBack(block, now: 7) }
        var count = 0
        while allocator.freeChunk() { count += 1 }
        #expect(count >= 4)
        isFreed = allocator.freeChunk()
        #expect(!isFreed)
        let isSound = allocator.invariantsHold()
        #expect(isSound && allocator.blockCount == 2)
        #expect(allocator.oldestIdle?.since == 7)
        for count in [20_000, 10_000] {
            let whole = allocator.take(count)
            #expect(whole != nil)
        }
    }

    @Test func onlyFreeRunsThatAreWorthItBecomeIdle() {
        var allocator = BlockAllocator()
        allocator.addSegment(0, granules: 1..<10_001)
        var blocks: [UInt32] = []
        for _ in 0..<100 { if let block = allocator.take(100) { blocks.append(block) } }
        #expect(blocks.count == 100)
        allocator.giveBack(blocks[10], now: 1)
        #expect(allocator.oldestIdle == nil)
        allocator.giveBack(blocks[11], now: 2)
        allocator.giveBack(blocks[12], now: 3)
        #expect(allocator.oldestIdle?.since == 3)
        // What joins an idle run makes it young again, but not for ever.
        allocator.giveBack(blocks[13], now: 9)
        #expect(allocator.oldestIdle?.since == 9)
        allocator.giveBack(blocks[9], now: 2002)
        #expect(allocator.oldestIdle?.since == 2002)
        allocator.giveBack(blocks[14], now: 2003)
        #expect(allocator.oldestIdle?.since == 2002)
        // Another run stands behind it.
        for index in 50..<53 { allocator.giveBack(blocks[index], now: 2100) }
        #expect(allocator.oldestIdle?.since == 2002)
        // What is left of a run is forgotten when it is too short.
        let part = allocator.take(550)
        #expect(part != nil)
        #expect(allocator.oldestIdle?.since == 2100)
        if let (slot, _) = allocator.oldestIdle { allocator.markClean(slot) }
        #expect(allocator.oldestIdle == nil)
    }
}

@Suite struct PageMapTests {
    @Test("runs are those of a plain array", arguments: 1...4)
    func agreesWithAModel(seed: UInt64) {
        var random = SplitMix(state: seed)
        let map = PageMap(pageCount: 300)
        var model = [Bool](repeating: false, count: 300)
        for _ in 0..<2000 {
            let start = Int(random.next() % 300)
            let range = start..<start + Int(random.next() % UInt64(301 - start))
            let value = random.next() % 2 == 0
            if value { map.mark(range) } else { map.clear(range) }
            for page in range { model[page] = value }
            let from = Int(random.next() % 300)
            let window = from..<300
            let first = window.first { model[$0] }
            let found = map.firstRun(in: window, countMax: 70)
            #expect(found?.lowerBound == first)
            if let found, let first {
                let end = (first..<300).first { !model[$0] } ?? 300
                #expect(found.upperBound == min(end, first + 70))
            }
        }
    }
}
