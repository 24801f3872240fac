internal import ArgumentParser
internal import ControlClient
internal import GCSClient

/// `gcs batch end`.
struct BatchEndCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "end",
        abstract: "End a batch, as its driver would.",
        discussion: """
            The batch is collected: its records leave the server, its objects every store. Objects \
            it kept stay with its parent. With --no-gc its records stay until it is ended once \
            more without that flag.
            """)

    @OptionGroup var argument: BatchArgument

    @Flag(name: .customLong("no-gc"), help: "End the batch, but keep its records and objects.")
    var noCollection = false

    @OptionGroup var options: ConnectionOptions

    /// What happened, for scripts.
    struct Report: Encodable {
        var batch: Int64
        var outcome: String
    }

    func run() throws {
        let connection = try options.connect()
        let words = ["GCS.BATCH", "END", String(argument.batch)] + (noCollection ? ["NOGC"] : [])
        let outcome = try EndOutcome(try connection.command(words))
        guard !options.json else {
            let report = Report(batch: argument.batch, outcome: outcome.rawValue.lowercased())
            return try Output.write(json: report)
        }
        Output.write([Self.sentence(argument.batch, outcome)])
    }

    static func sentence(_ batch: Int64, _ outcome: EndOutcome) -> String {
        switch outcome {
        case .collected: "batch \(batch) collected"
        case .deferred: "batch \(batch) deferred: an active batch depends on it"
        case .ended: "batch \(batch) ended, its records and objects stay"
        }
    }
}
