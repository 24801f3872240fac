import Simulation
import Testing

@Suite struct SimulationTests {
    @Test(
        "no deletion is lost and nothing is deleted too early",
        arguments: 1...24 as ClosedRange<UInt64>)
    func world(seed: UInt64) {
        let outcome = Simulation.run(seed: seed)
        #expect(outcome.failure == nil, "replay it with its trace: make simulate SEED=\(seed)")
    }

    @Test("a planted bug is noticed within 1,000 seeds", arguments: Mistake.allCases)
    func planted(mistake: Mistake) {
        let seed = (1...1000).first { Simulation.run(seed: $0, planting: mistake).failure != nil }
        #expect(seed != nil, "\(mistake)")
    }

    @Test("a seed gives the same world again, watched or not")
    func again() {
        var lines: [String] = []
        let watched = Simulation.run(seed: 3) { lines.append($0) }
        let unwatched = Simulation.run(seed: 3)
        #expect(watched.eventCount == unwatched.eventCount)
        #expect(lines.count > 1000)
        #expect(lines.allSatisfy { !$0.contains("\n") })
    }
}
