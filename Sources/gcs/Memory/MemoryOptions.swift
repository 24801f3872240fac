internal import ArgumentParser

/// What rows are put together by.
enum MemoryGrouping: String, CaseIterable, ExpressibleByArgument {
    case node = "NODE_ADDRESS"
    case site = "STACK_TRACE"

    init?(argument: String) { self.init(rawValue: argument.uppercased()) }

    /// As the headline says it.
    var words: String { self == .node ? "node address" : "stack trace" }
}

/// What rows are in the order of.
enum MemoryOrder: String, CaseIterable, ExpressibleByArgument {
    case size = "OBJECT_SIZE"
    case process = "PID"
    case type = "REFERENCE_TYPE"

    init?(argument: String) { self.init(rawValue: argument.uppercased()) }

    /// As the headline says it.
    var words: String {
        switch self {
        case .size: "object size"
        case .process: "pid"
        case .type: "reference type"
        }
    }
}

/// What bytes are counted in: powers of 1000.
enum MemoryUnit: String, CaseIterable, ExpressibleByArgument {
    case bytes = "B"
    case kilobytes = "KB"
    case megabytes = "MB"
    case gigabytes = "GB"

    init?(argument: String) { self.init(rawValue: argument.uppercased()) }

    private var byteCount: Int64 {
        switch self {
        case .bytes: 1
        case .kilobytes: 1000
        case .megabytes: 1_000_000
        case .gigabytes: 1_000_000_000
        }
    }

    /// A byte count in this unit, to three places, never with an exponent, and 0 only for 0.
    func text(_ count: Int64) -> String {
        guard self != .bytes else { return "\(count) B" }
        let thousandth = byteCount / 1000
        guard count > 0 else { return "\(count == 0 ? "0" : "-") \(rawValue)" }
        guard count >= thousandth else { return "< 0.001 \(rawValue)" }
        let thousandths = count / thousandth
        let rest = String(thousandths % 1000)
        let zeros = String(repeating: "0", count: 3 - rest.count)
        return "\(thousandths / 1000).\(zeros)\(rest) \(rawValue)"
    }

    /// The same; `?` for an unknown one.
    func text(_ count: Int64?) -> String { count.map { text($0) } ?? "?" }
}

/// Which rows are listed, and how.
struct MemoryOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Put references together by: NODE_ADDRESS, STACK_TRACE.", valueName: "key"))
    var groupBy = MemoryGrouping.node

    @Option(
        help: ArgumentHelp(
            "Put them in the order of: OBJECT_SIZE, PID, REFERENCE_TYPE.", valueName: "key"))
    var sortBy = MemoryOrder.size

    @Flag(help: "The largest first.")
    var desc = false

    @Option(help: ArgumentHelp("Show bytes in: B, KB, MB, GB (powers of 1000).", valueName: "unit"))
    var units = MemoryUnit.bytes

    @Option(
        name: [.customShort("n"), .long],
        help: ArgumentHelp(
            "Show this many of each group at most: the first in the order asked for.",
            valueName: "count"))
    var numEntries: Int?

    @Option(help: ArgumentHelp("Only what belongs to this batch.", valueName: "batch"))
    var batch: Int64?

    @Option(help: ArgumentHelp("Only what this node's processes or store hold.", valueName: "node"))
    var node: String?

    @Flag(help: "Only the sums of all nodes: answers at once, however many references there are.")
    var statsOnly = false

    @Flag(help: "List the objects that nothing refers to, and which nodes hold them.")
    var unreferenced = false

    @Flag(help: "Show it again and again, until Ctrl-C.")
    var watch = false

    @Option(help: ArgumentHelp("Seconds between two looks of --watch.", valueName: "seconds"))
    var interval = 2

    func validate() throws {
        if let numEntries, numEntries < 1 {
            throw ValidationError("--num-entries must be at least 1, found \(numEntries)")
        }
        guard (1...86_400).contains(interval) else {
            throw ValidationError("--interval must be 1 to 86400 seconds, found \(interval)")
        }
        guard !statsOnly || !unreferenced else {
            throw ValidationError("--stats-only and --unreferenced exclude each other")
        }
        if statsOnly, batch != nil || node != nil {
            throw ValidationError(
                "--stats-only is about all nodes: it goes without --batch and --node")
        }
    }

    /// Words that narrow what the server lists.
    var filter: [String] {
        (node.map { ["NODE", $0] } ?? []) + (batch.map { ["BATCH", String($0)] } ?? [])
    }
}
