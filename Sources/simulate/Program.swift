internal import Glibc
internal import Simulation

/// `simulate --seeds <n>` runs worlds 1 to n; `simulate --seed <n>` one, with its trace.
enum Program {
    static func run(_ arguments: [String]) {
        guard arguments.count == 3, let number = UInt64(arguments[2]), number > 0 else { usage() }
        switch arguments[1] {
        case "--seeds": runMany(number)
        case "--seed": replay(number)
        default: usage()
        }
    }

    /// Writes to the error stream at once.
    private static func say(_ text: String) {
        let bytes = Array(text.utf8)
        _ = write(2, bytes, bytes.count)
    }

    private static func usage() -> Never {
        print("usage: simulate --seeds <count> | --seed <number>")
        exit(2)
    }

    private static func runMany(_ count: UInt64) {
        let clock = ContinuousClock()
        let start = clock.now
        var events = 0
        for seed in 1...count {
            // The line stays when a precondition stops the process.
            say("seed \(seed)\r")
            let outcome = Simulation.run(seed: seed)
            events += outcome.eventCount
            guard let failure = outcome.failure else { continue }
            print("seed \(seed): \(failure)")
            print("replay it with its trace: make simulate SEED=\(seed)")
            exit(1)
        }
        say("\n")
        let seconds = (clock.now - start) / .seconds(1)
        print("\(count) seeds passed: \(events) events in \((seconds * 10).rounded() / 10) s")
    }

    private static func replay(_ seed: UInt64) {
        let outcome = Simulation.run(seed: seed, traces: true)
        for line in outcome.trace { print(line) }
        print("seed \(seed): \(outcome.failure ?? "passed")")
        exit(outcome.failure == nil ? 0 : 1)
    }
}
