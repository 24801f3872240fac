internal import ArgumentParser

/// `gcs batch`.
struct BatchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "batch",
        abstract: "List, show, end and destroy batches.",
        discussion: """
            A batch is what memory ends with: a job, a request, an experiment. Ending one releases \
            its task and object records at once, and every node manager deletes its objects. \
            Objects that the batch kept stay, and belong to its parent.

            EXAMPLES
              gcs batch list                    every batch, 100 at most
              gcs batch show 42                 all about batch 42
              gcs batch end 42                  batch 42 is over, and its memory is freed
              gcs batch destroy 42 --yes        at once, and what it kept too
            """,
        subcommands: [
            BatchListCommand.self, BatchShowCommand.self, BatchEndCommand.self,
            BatchDestroyCommand.self,
        ])
}

/// Which batch a subcommand is about.
struct BatchArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The number of the batch.", valueName: "batch"))
    var batch: Int64

    func validate() throws {
        guard batch >= 0 else {
            throw ValidationError("a batch is a number from 0, found '\(batch)'")
        }
    }
}
