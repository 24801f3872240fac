import Simulation
import Testing

@Suite struct SimulationTests {
    @Test(
        "no deletion is lost and nothing is deleted too early",
        arguments: 1...64 as ClosedRange<UInt64>)
    func world(seed: UInt64) {
        let outcome = Simulation.run(seed: seed)
        #expect(outcome.failure == nil, "replay it with its trace: make simulate SEED=\(seed)")
    }
}
