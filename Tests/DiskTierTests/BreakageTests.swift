import Testing

@testable import DiskTier

@Suite struct BreakageTests {
    /// The next time when a try is made.
    private func nextTry(_ breakage: Breakage, from now: Int64) -> Int64 {
        var now = now
        while (try? breakage.checkTime(at: now)) == nil { now += 500 }
        return now
    }

    @Test("is tried again after 1 s, then after twice the time, up to a minute")
    func doubles() {
        var breakage = Breakage()
        var (now, pauses): (Int64, [Int64]) = (1_000_000, [])
        for _ in 0..<9 {
            breakage.fail("IO error", at: now)
            let next = nextTry(breakage, from: now)
            pauses.append((next - now) / 1000)
            now = next
        }
        #expect(pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60])
    }

    @Test("begins with 1 s again when all went well for a minute")
    func beginsAnew() {
        var breakage = Breakage()
        for _ in 0..<5 { breakage.fail("IO error", at: 1_000_000) }
        breakage.end()
        #expect(breakage.reason == nil)
        breakage.fail("IO error", at: 1_030_000)
        #expect(nextTry(breakage, from: 1_030_000) == 1_062_000)
        breakage.end()
        breakage.fail("IO error", at: 1_200_000)
        #expect(nextTry(breakage, from: 1_200_000) == 1_201_000)
    }

    @Test("stays, when bytes are damaged")
    func stays() {
        var breakage = Breakage()
        breakage.failWriting("Corruption: block checksum mismatch", at: 1_000_000)
        breakage.fail("IO error", at: 2_000_000)
        #expect(throws: DiskError.self) { try breakage.checkTime(at: 900_000_000) }
    }
}
