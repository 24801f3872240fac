internal import ArgumentParser
internal import ControlClient
internal import Platform
internal import RESP

/// `gcs status`.
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Show what a server holds, and its nodes.",
        discussion: """
            A node is alive while its node manager sends heartbeats, lost when it has not for the \
            server's node-timeout-secs, and unknown when objects are said to be there but no node \
            manager ever registered. BEHIND counts the deletions that a node has not carried out yet, and says \
            since when the oldest of them waits.

            EXAMPLES
              gcs status
              gcs status --json | jq '.nodes[] | select(.status != "alive")'
            """)

    @OptionGroup var options: ConnectionOptions

    func run() throws {
        let connection = try options.connect()
        let report = try StatusReport(connection)
        guard !options.json else { return try Output.write(json: report) }
        Output.write(report.facts.lines)
        guard !report.nodes.isEmpty else { return Output.write(["", "no nodes"]) }
        Output.write(
            [""] + StatusReport.table(report.nodes, now: SystemClock.unixMilliseconds).lines)
    }
}
