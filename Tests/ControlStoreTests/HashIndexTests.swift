import Testing

@testable import ControlStore

@Suite struct HashIndexTests {
    /// Spreads references well; every eighth shares its hash with others.
    private func hash(_ reference: UInt32) -> UInt64 {
        let value = UInt64(reference % 8 == 0 ? reference / 64 : reference)
        return (value &+ 1) &* 0x9e37_79b9_7f4a_7c15 &* 0xd6e8_feb8_6659_fd93
    }

    @Test(
        "a reference that was removed is never looked at again", arguments: 0..<256 as Range<UInt64>
    )
    func removed(tag: UInt64) {
        var pool = Pool()
        var index = HashIndex()
        for reference in 0..<12 as Range<UInt32> {
            index.insert(tag, reference, &pool, hashOf: { _ in tag })
        }
        let removed = stride(from: 1, to: 12, by: 2).map { UInt32($0) }
        for reference in removed { #expect(index.remove(tag) { $0 == reference }) }
        for other in 0..<256 as Range<UInt64> {
            _ = index.find(other) { reference in
                #expect(!removed.contains(reference), "hash \(other)")
                return false
            }
        }
        var (position, budget): (UInt64, Int) = (0, 100)
        #expect(index.drop(&position, budget: &budget, &pool))
    }

    @Test("holds what was inserted and not removed", arguments: [1, 11, 12, 13, 700, 60_000])
    func model(count: Int) {
        var random = SeededGenerator(seed: UInt64(count))
        var pool = Pool()
        var index = HashIndex()
        var model: Set<UInt32> = []
        for _ in 0..<count * 3 {
            let reference = UInt32.random(in: 0..<UInt32(count), using: &random)
            if model.contains(reference) {
                #expect(index.remove(hash(reference)) { $0 == reference })
                model.remove(reference)
            } else {
                index.insert(hash(reference), reference, &pool, hashOf: hash)
                model.insert(reference)
            }
        }
        #expect(Int(index.count) == model.count)
        for reference in 0..<UInt32(count) {
            let isFound = index.find(hash(reference), isMatch: { $0 == reference }) != nil
            #expect(isFound == model.contains(reference))
        }
        var walked: Set<UInt32> = []
        var position: UInt64 = 0
        while position < 1 << 32 { position = index.walk(from: position) { walked.insert($0) } }
        #expect(walked == model)
        var dropPosition: UInt64 = 0
        while true {
            var budget = 3
            if index.drop(&dropPosition, budget: &budget, &pool) { break }
        }
        #expect(index.count == 0)
        #expect(pool.chunkCount <= Pool.spareCountMax)
    }

    @Test func aWalkMeetsEverythingThatStaysWhileOthersComeAndGo() {
        var pool = Pool()
        var index = HashIndex()
        for reference in 0..<5000 as Range<UInt32> {
            index.insert(hash(reference), reference, &pool, hashOf: hash)
        }
        var walked: Set<UInt32> = []
        var position: UInt64 = 0
        var next: UInt32 = 5000
        while position < 1 << 32 {
            position = index.walk(from: position) { walked.insert($0) }
            for _ in 0..<3000 {
                index.insert(hash(next), next, &pool, hashOf: hash)
                next += 1
            }
        }
        #expect(walked.isSuperset(of: 0..<5000))
    }
}
