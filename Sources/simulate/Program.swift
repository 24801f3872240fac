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

    private static func usage() -> Never {
        print("usage: simulate --seeds <count> | --seed <number>")
        exit(2)
    }

    private static func runMany(_ count: UInt64) {
        for number in [SIGILL, SIGTRAP, SIGSEGV] { signal(number, stopped) }
        let clock = ContinuousClock()
        let start = clock.now
        var events = 0
        for seed in 1...count {
            seedUnderWay = seed
            let outcome = Simulation.run(seed: seed)
            events += outcome.eventCount
            guard let failure = outcome.failure else { continue }
            print("seed \(seed): \(failure)\n\(howToReplay(seed))")
            exit(1)
        }
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

private func howToReplay(_ seed: UInt64) -> String {
    "replay it with its trace: make simulate SEED=\(seed)"
}

/// For the handler of signals alone; nothing else runs beside the worlds.
nonisolated(unsafe) private var seedUnderWay: UInt64 = 0

/// Names the seed when a precondition stops the process, and lets it stop.
private func stopped(_ number: Int32) {
    signal(number, SIG_DFL)
    let text = Array("seed \(seedUnderWay): stopped\n\(howToReplay(seedUnderWay))\n".utf8)
    _ = write(2, text, text.count)
}
