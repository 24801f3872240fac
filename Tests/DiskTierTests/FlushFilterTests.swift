import Testing

@testable import ControlStore

@Suite struct FlushFilterTests {
    private func hash(_ number: UInt64) -> UInt64 {
        var mixed = number &+ 0x9e37_79b9_7f4a_7c15
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    @Test("knows every key that was added", arguments: [1, 24, 25, 1000, 300_000])
    func knows(count: UInt64) {
        var filter = FlushFilter()
        for number in 0..<count { filter.insert(hash(number)) }
        #expect((0..<count).allSatisfy { filter.mayContain(hash($0)) })
        #expect(filter.count == count)
        filter.release()
    }

    @Test("takes few others for one of them, for about two bytes a key")
    func isSparse() {
        var filter = FlushFilter()
        let count: UInt64 = 1_000_000
        for number in 0..<count { filter.insert(hash(number)) }
        let wrong = (count..<2 * count).count { filter.mayContain(hash($0)) }
        #expect(wrong < 15_000, "\(wrong) of a million")
        #expect(filter.byteCount < 6 * Int(count), "\(filter.byteCount)")
        filter.release()
    }

    @Test("an empty one knows nothing")
    func isEmpty() { #expect(!FlushFilter().mayContain(hash(1))) }
}

@Suite struct FlushPolicyTests {
    private let policy = SimpleFlushPolicy(
        windowByteCount: 1600, periodMilliseconds: 1000, recordCountPerPeriod: 10)

    @Test("below the window nothing is flushed")
    func rests() {
        #expect(policy.demand(FlushSituation(heldByteCount: 1599, now: 5000)).isEmpty)
    }

    @Test("at the window so many records are flushed in each period")
    func hasPeriods() {
        let begun = policy.demand(FlushSituation(heldByteCount: 1600, now: 5000))
        #expect(begun.beginsPeriod && begun.recordCount == 10 && begun.byteCount == 0)
        let later = policy.demand(
            FlushSituation(
                heldByteCount: 1600, now: 5500, periodStartedAt: 5000, flushedCount: 10))
        #expect(later.isEmpty && !later.beginsPeriod)
        let next = policy.demand(
            FlushSituation(
                heldByteCount: 1600, now: 6000, periodStartedAt: 5000, flushedCount: 10))
        #expect(next.beginsPeriod && next.recordCount == 10)
    }

    @Test("what exceeds the window by a sixteenth goes at once")
    func holdsTheWindow() {
        let demand = policy.demand(
            FlushSituation(
                heldByteCount: 2000, now: 5001, periodStartedAt: 5000, flushedCount: 99))
        #expect(demand.byteCount == 350 && demand.recordCount == 0)
    }

    @Test("age asks for what is old, whatever memory there is")
    func asksForOld() {
        let policy = AgeFlushPolicy(ageMilliseconds: 60_000, periodMilliseconds: 1000)
        let demand = policy.demand(FlushSituation(heldByteCount: 0, now: 1000))
        #expect(demand.age == 60_000 && demand.byteCount == 0 && demand.recordCount == 0)
    }
}
