internal import ArgumentParser
internal import Foundation
internal import Simulation

/// `gcs simulate`.
struct SimulateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "simulate",
        abstract: "Watch a random life of the whole system, on a clock of its own.",
        discussion: """
            A seed makes a world: a server, node managers, stores and drivers that do anything at \
            any time, while connections break and processes die. What the programs run is the same \
            code as here; time and network are made up, so it takes no longer than a moment, and a \
            seed gives the same world each time. A plain model judges every reply and every \
            deletion.

            A line of the trace has the time in seconds, and what happened: who sent which request \
            and what the server answered, which node deleted what, what broke. Ids are written \
            batch.unique.index.

            EXAMPLES
              gcs simulate 17                    world 17, line by line
              gcs simulate --seeds 1000          worlds 1 to 1000, up to the first that goes wrong
              gcs simulate --seeds 1000 --from 70001
                                                 1000 others
              gcs simulate --seeds 1000 --plant forgets-kept
                                                 with a bug: how soon is it noticed?
            """)

    @Argument(help: "The world to watch.")
    var seed: UInt64?

    @Option(help: ArgumentHelp("Run that many worlds instead.", valueName: "count"))
    var seeds: UInt64?

    @Option(help: ArgumentHelp("The first of these worlds instead of 1.", valueName: "seed"))
    var from: UInt64?

    @Option(
        help: ArgumentHelp("A bug that the worlds have: \(bugs).", valueName: "bug"),
        transform: {
            guard let mistake = Mistake(rawValue: $0) else {
                throw ValidationError("expected one of \(bugs), found \($0)")
            }
            return mistake
        })
    var plant: Mistake?

    private static let bugs = Mistake.allCases.map(\.rawValue).joined(separator: ", ")

    func validate() throws {
        guard (seed == nil) != (seeds == nil), seeds != 0 else {
            throw ValidationError("expected either a seed or --seeds with at least 1")
        }
        guard let from else { return }
        guard let seeds else { throw ValidationError("--from goes with --seeds") }
        guard !from.addingReportingOverflow(seeds).overflow else {
            throw ValidationError("--from \(from) leaves no \(seeds) seeds below 2^64")
        }
    }

    func run() throws {
        hashAlike()
        if let seed { return try watch(seed) }
        let first = from ?? 1
        try runAll(first..<first + (seeds ?? 1))
    }

    private func watch(_ seed: UInt64) throws {
        let outcome = Simulation.run(seed: seed, planting: plant) { print($0) }
        Output.write(["seed \(seed): \(outcome.failure ?? "passed")"])
        if outcome.failure != nil { throw ExitCode.failure }
    }

    private func runAll(_ seeds: Range<UInt64>) throws {
        for number in [SIGILL, SIGTRAP, SIGSEGV] { signal(number, stopped) }
        let clock = ContinuousClock()
        let start = clock.now
        var events = 0
        for seed in seeds {
            underWay = replay(seed)
            let outcome = Simulation.run(seed: seed, planting: plant)
            events += outcome.eventCount
            guard let failure = outcome.failure else { continue }
            Output.write(["seed \(seed): \(failure)", underWay])
            throw ExitCode.failure
        }
        let seconds = (clock.now - start) / .seconds(1)
        Output.write([
            "\(seeds.count) seeds passed: \(events) events in \((seconds * 10).rounded() / 10) s"
        ])
    }

    private func replay(_ seed: UInt64) -> String {
        let bug = plant.map { " --plant \($0.rawValue)" } ?? ""
        return "replay it with its trace: \(CommandLine.arguments[0]) simulate \(seed)\(bug)"
    }

    /// Starts this program anew when it would not hash as others do: dictionaries, and so the node
    /// managers, go through their elements in an order of each process' own.
    private func hashAlike() {
        let name = "SWIFT_DETERMINISTIC_HASHING"
        guard getenv(name) == nil else { return }
        setenv(name, "1", 1)
        var arguments = CommandLine.arguments.map { strdup($0) } + [nil]
        execv("/proc/self/exe", &arguments)
        Output.complain("gcs: cannot start anew to hash alike: a seed may give another world")
    }
}

/// For the handler of signals alone; nothing else runs beside the worlds.
nonisolated(unsafe) private var underWay = ""

/// Says how to replay the world that a precondition stops the process in, and lets it stop.
private func stopped(_ number: Int32) {
    signal(number, SIG_DFL)
    let text = Array("stopped; \(underWay)\n".utf8)
    _ = write(2, text, text.count)
}
