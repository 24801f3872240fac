internal import ArgumentParser
internal import ControlClient
internal import RESP

/// `gcs batch destroy`.
struct BatchDestroyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "destroy",
        abstract: "Release a batch at once, kept objects too.",
        discussion: """
            Nothing is spared, neither objects that the batch kept nor batches below it. To end a \
            batch as its driver would, see 'gcs batch end'. Asks first on a terminal; elsewhere \
            it needs --yes.
            """)

    @OptionGroup var argument: BatchArgument

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @OptionGroup var options: ConnectionOptions

    /// What happened, for scripts.
    struct Report: Encodable {
        var batch: Int64
        var released: Int64
    }

    func run() throws {
        if !yes { try confirm() }
        let connection = try options.connect()
        let reply = try connection.command("GCS.BATCH", "DESTROY", String(argument.batch))
        let report = Report(batch: argument.batch, released: reply.number ?? 0)
        guard !options.json else { return try Output.write(json: report) }
        let noun = report.released == 1 ? "record" : "records"
        Output.write([
            "batch \(report.batch) destroyed, \(Units.count(report.released)) \(noun) released"
        ])
    }

    private func confirm() throws {
        guard Output.isInteractive else {
            throw Failure("destroying batch \(argument.batch) needs --yes outside a terminal")
        }
        Output.writeToStandardError(
            "Destroy batch \(argument.batch), its kept objects and all batches below it? [y/N] ")
        let answer = readLine()?.lowercased() ?? ""
        guard answer == "y" || answer == "yes" else {
            throw Failure("nothing was done to batch \(argument.batch)")
        }
    }
}
