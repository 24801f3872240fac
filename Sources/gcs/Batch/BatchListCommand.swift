internal import ArgumentParser
internal import GCSClient
internal import Identifiers
internal import Platform

/// `gcs batch list`.
struct BatchListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the batches.",
        discussion: """
            A batch is active until it is ended, done when it was ended without being collected, \
            and deferred while a running batch needs it. Collected batches are gone and not listed. BYTES is what the records of \
            the batch take in the server, not its objects in the stores.
            """)

    @Option(help: "Only batches with this status.")
    var status: BatchStatus?

    @Option(help: ArgumentHelp("List this many at most.", valueName: "count"))
    var limit = 100

    @OptionGroup var options: ConnectionOptions

    func validate() throws {
        guard limit >= 1 else {
            throw ValidationError("--limit must be at least 1, found \(limit)")
        }
    }

    func run() throws {
        let connection = try options.connect()
        let (batches, isMore) = try BatchInfo.list(
            connection, status: status, limit: limit)
        guard !options.json else { return try Output.write(json: batches) }
        Output.write(Self.table(batches, now: SystemClock.unixMilliseconds).lines)
        if isMore { Output.complain("there are more: see --limit") }
    }

    static func table(_ batches: [BatchInfo], now: Int64) -> Table {
        var table = Table(
            .init(title: "BATCH", alignment: .right), .init(title: "NAME"),
            .init(title: "STATUS"), .init(title: "AGE", alignment: .right),
            .init(title: "TASKS", alignment: .right), .init(title: "OBJECTS", alignment: .right),
            .init(title: "KEPT", alignment: .right), .init(title: "BYTES", alignment: .right),
            .init(title: "PARENT", alignment: .right))
        for batch in batches {
            table.append(
                "\(batch.id)", batch.label, batch.status.rawValue,
                batch.age(now: now), Units.count(batch.taskCount), Units.count(batch.objectCount),
                Units.count(batch.keptCount), Units.bytes(batch.byteCount), "\(batch.parent)")
        }
        return table
    }
}
