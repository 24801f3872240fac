internal import ArgumentParser
internal import ControlClient
internal import GCSClient
internal import Identifiers
internal import Platform
internal import RESP

/// `gcs batch show`.
struct BatchShowCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show one batch.",
        discussion: """
            With --members it also lists the tasks and objects of the batch, as they are named in \
            the key space: 'redis-cli HGETALL OBJECT:<id>' shows one of them.
            """)

    @OptionGroup var argument: BatchArgument

    @Flag(help: "List the tasks and objects of the batch too.")
    var members = false

    @OptionGroup var options: ConnectionOptions

    /// A batch with its members, if they were asked for.
    struct Report: Encodable {
        var batch: BatchInfo
        var members: [String]?
    }

    func run() throws {
        let connection = try options.connect()
        let report = Report(
            batch: try BatchInfo(
                try connection.command("GCS.BATCH", "INFO", String(argument.batch))),
            members: members ? try Self.members(connection, argument.batch) : nil)
        guard !options.json else { return try Output.write(json: report) }
        Output.write(Self.facts(report.batch, now: SystemClock.unixMilliseconds).lines)
        if let members = report.members { Output.write([""] + members) }
    }

    private static func members(
        _ connection: BlockingControlConnection, _ batch: Int64
    ) throws -> [String] {
        var members: Set<String> = []
        var cursor: String? = "0"
        while let from = cursor {
            let words = ["SSCAN", "GC:\(batch)", from, "COUNT", "1000"]
            let page = try connection.command(words).page()
            cursor = page.next
            members.formUnion(page.elements.compactMap(\.text))
        }
        return members.sorted()
    }

    static func facts(_ batch: BatchInfo, now: Int64) -> Facts {
        var facts = Facts()
        facts.append("batch", "\(batch.id)")
        if !batch.name.isEmpty { facts.append("name", batch.name) }
        facts.append("status", batch.status.rawValue)
        if batch.id != .root { facts.append("parent", "\(batch.parent)") }
        if batch.createdMilliseconds > 0 { facts.append("started", batch.age(now: now) + " ago") }
        if let ended = batch.endedMilliseconds {
            facts.append("ended", Units.age(milliseconds: now - ended) + " ago")
        }
        if let timeout = batch.timeoutMilliseconds {
            facts.append("timeout", Units.age(milliseconds: timeout))
        }
        facts.append("tasks", Units.count(batch.taskCount))
        facts.append("objects", Units.count(batch.objectCount))
        facts.append("kept", Units.count(batch.keptCount))
        facts.append("memory", Units.bytes(batch.byteCount) + " of records")
        if !batch.dependsOn.isEmpty { facts.append("depends on", text(batch.dependsOn)) }
        if !batch.dependents.isEmpty { facts.append("needed by", text(batch.dependents)) }
        return facts
    }

    private static func text(_ batches: [BatchID]) -> String {
        batches.map { "\($0)" }.joined(separator: ", ")
    }
}
