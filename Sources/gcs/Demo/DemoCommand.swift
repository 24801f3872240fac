internal import ArgumentParser
internal import PlasmaClient

/// `gcs demo`.
struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Replay on this machine what batches are for.",
        discussion: """
            A long job uses its objects now and then. Beside it runs a stream of short jobs: each \
            makes one task and some hundred objects, of which one, the result, is wanted \
            afterwards. The store is too small for all of it.

            First the store is alone, and drops what was not used for longest: the long job's \
            objects, while what finished jobs left stays. Then the same jobs are batches: each \
            keeps its result and ends, and the node manager deletes the rest.

            It starts a store, a server and a node manager of its own in a temporary directory, \
            takes about a minute, and removes everything afterwards. It ends with exit code 1, \
            and says why, if something was not as promised.

            EXAMPLES
              gcs demo                        as described
              gcs demo --quick                a few seconds
              gcs demo --store-program plasma-store-server
                                              with Apache Arrow's store
            """)

    @Flag(help: "Smaller sizes, a few seconds.")
    var quick = false

    @Option(help: ArgumentHelp("Size of the store. (default: 256mb)", valueName: "bytes"))
    var storeSize: ByteSize?

    @Option(help: ArgumentHelp("Short jobs. (default: 300)", valueName: "count"))
    var jobs: Int?

    @Option(help: ArgumentHelp("Objects of a short job. (default: 300)", valueName: "count"))
    var objects: Int?

    @Option(help: ArgumentHelp("Size of each. (default: 32kb)", valueName: "bytes"))
    var objectSize: ByteSize?

    @Option(help: ArgumentHelp("Objects of the long job. (default: 100)", valueName: "count"))
    var longObjects: Int?

    @Option(help: ArgumentHelp("Size of each. (default: 400000)", valueName: "bytes"))
    var longObjectSize: ByteSize?

    @Option(
        help: ArgumentHelp(
            "The long job uses its objects once in so many short jobs. (default: 40)",
            valueName: "count"))
    var useEvery: Int?

    @Option(
        help: ArgumentHelp(
            "From the start of a short job to the next one's. (default: 90)",
            valueName: "milliseconds"))
    var pace: Int?

    @Option(help: ArgumentHelp("The store to start: a name or a path.", valueName: "program"))
    var storeProgram = "plasma-store"

    @Flag(help: "Print the results as JSON, for scripts.")
    var json = false

    /// The plan that the options describe.
    var plan: DemoPlan {
        var plan = quick ? DemoPlan.quick : DemoPlan()
        if let storeSize { plan.storeBytes = Int64(storeSize.byteCount) }
        if let jobs { plan.jobCount = jobs }
        if let objects { plan.jobObjectCount = objects }
        if let objectSize { plan.jobObjectBytes = objectSize.byteCount }
        if let longObjects { plan.longObjectCount = longObjects }
        if let longObjectSize { plan.longObjectBytes = longObjectSize.byteCount }
        if let useEvery { plan.useEvery = useEvery }
        if let pace { plan.paceMilliseconds = UInt64(max(0, pace)) }
        return plan
    }

    func validate() throws {
        let counts = [
            ("--jobs", jobs), ("--objects", objects), ("--long-objects", longObjects),
            ("--use-every", useEvery),
        ]
        for (name, value) in counts {
            guard let value, !(1...1_000_000).contains(value) else { continue }
            throw ValidationError("\(name) must be 1 to 1000000, found \(value)")
        }
        if let pace, !(0...60_000).contains(pace) {
            throw ValidationError("--pace must be 0 to 60000, found \(pace)")
        }
        if let objection = plan.objection { throw ValidationError(objection) }
    }

    func run() throws {
        Interruption.catchSignals()
        let plan = plan
        let programs = try DemoCluster.Programs(store: storeProgram)
        if !json { Output.write(Self.introduction(plan)) }
        let report = DemoReport(
            plan: plan, lru: try phase(plan, programs, hasBatches: false),
            batches: try phase(plan, programs, hasBatches: true))
        if json {
            try Output.write(json: report)
        } else {
            Output.write(report.table.lines + [""] + Output.wrapped(report.sentence))
        }
        for promise in report.brokenPromises { Output.complain("broken promise: \(promise)") }
        if !report.brokenPromises.isEmpty { throw ExitCode(1) }
    }

    /// Runs one phase on processes and in a directory of its own.
    private func phase(
        _ plan: DemoPlan, _ programs: DemoCluster.Programs, hasBatches: Bool
    ) throws -> DemoResult {
        try TemporaryDirectory.lend { path in
            let cluster = try DemoCluster(
                in: path, programs: programs, storeBytes: plan.storeBytes, hasBatches: hasBatches)
            let title = hasBatches ? "with batches" : "LRU only"
            return try DemoPhase(plan, title: title, cluster: cluster).run()
        }
    }

    private static func introduction(_ plan: DemoPlan) -> [String] {
        Output.wrapped(
            "A store of \(Units.bytes(plan.storeBytes)). A long job with \(plan.longObjectCount) "
                + "objects (\(Units.bytes(plan.longBytes))), which it uses once in "
                + "\(plan.useEvery) short jobs. \(plan.jobCount) short jobs of "
                + "\(plan.jobObjectCount) objects each (\(Units.bytes(plan.jobBytes))), of which "
                + "one, the result, is wanted.") + [""]
    }
}
