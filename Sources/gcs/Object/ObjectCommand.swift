internal import ArgumentParser

/// `gcs object`.
struct ObjectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "object",
        abstract: "Bring spilled objects back into memory.",
        discussion: """
            An object without room in its store is on the disk of the machine that made it. It \
            comes back by itself when a client of that store waits for it.

            EXAMPLES
              gcs object restore 000000000000002a000000000000000180000001
            """,
        subcommands: [ObjectRestoreCommand.self])
}
