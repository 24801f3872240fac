internal import ArgumentParser
internal import ControlClient
internal import Foundation
internal import GCSClient
internal import PlasmaClient

/// A failure that a person can act on: one line on the standard error.
struct Failure: Error {
    var text: String
    var exitCode: Int32

    init(_ text: String, exitCode: Int32 = 1) {
        self.text = text
        self.exitCode = exitCode
    }
}

/// What `main.swift` starts.
enum Program {
    /// Runs the subcommand that the arguments name; does not come back after an error.
    static func run() {
        // A server that goes away is an error to report, not a signal to die of.
        signal(SIGPIPE, SIG_IGN)
        do {
            var command = try GCS.parseAsRoot()
            try command.run()
        } catch let failure as Failure {
            stop(failure.text, failure.exitCode)
        } catch let error as ControlError {
            stop(error.description)
        } catch let error as GCSError {
            stop(error.description)
        } catch let error as PlasmaError {
            stop(error.description)
        } catch {
            GCS.exit(withError: error)
        }
    }

    private static func stop(_ text: String, _ exitCode: Int32 = 1) -> Never {
        let line = text.split(separator: "\n").first ?? ""
        Output.complain("gcs: \(line.trimmingCharacters(in: .whitespaces))")
        exit(exitCode)
    }
}

/// The command line.
struct GCS: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gcs",
        abstract: "Look at and steer a Global Control Store.",
        discussion: """
            A batch is a job, a request, an experiment: when it ends, its task and object records \
            leave the server and its objects leave every node's store. This program shows what a \
            server holds, ends batches by hand, and replays the whole story on your machine.

            New here? Run 'gcs demo': it needs no server and cleans up after itself.

            EXAMPLES
              gcs status                              what the server holds, and its nodes
              gcs status --address 10.0.0.5:6379      the same on another machine
              gcs memory --stats-only                 how full the stores are, and with what
              gcs batch list --status active          the batches that are running
              gcs batch end 42                        batch 42 is over, free its memory

            A server also speaks to redis-cli: 'redis-cli -p 6379 GCS.BATCH INFO 42'.
            """,
        subcommands: [
            StatusCommand.self, MemoryCommand.self, BatchCommand.self, ObjectCommand.self,
            ReferenceCommand.self, DemoCommand.self, SimulateCommand.self,
        ])
}
