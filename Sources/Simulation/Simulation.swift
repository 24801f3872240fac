/// Runs worlds: a real server, real node managers, model stores and drivers, all from a seed.
public enum Simulation {
    /// What became of one world.
    public struct Outcome: Sendable {
        /// The number that makes the world again.
        public var seed: UInt64
        /// What was not as it must be; `nil` when all was well.
        public var failure: String?
        /// Things that happened.
        public var eventCount: Int
        /// Milliseconds that passed in the world.
        public var milliseconds: Int64
    }

    /// Lives through one world: chaos, then healing, then the last check.
    ///
    /// The same seed gives the same world in every process that hashes alike; set
    /// `SWIFT_DETERMINISTIC_HASHING` for that.
    ///
    /// - Parameters:
    ///   - seed: any number.
    ///   - mistake: a bug that this world has.
    ///   - trace: hears what happens, a line for each event.
    public static func run(
        seed: UInt64, planting mistake: Mistake? = nil, trace: ((String) -> Void)? = nil
    ) -> Outcome {
        var world = World(seed: seed, planting: mistake, trace: trace)
        world.run()
        return Outcome(
            seed: seed, failure: world.failure, eventCount: world.eventCount,
            milliseconds: world.now - World.start)
    }
}
