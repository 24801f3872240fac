internal import ArgumentParser
internal import Settings

/// `gcs reference`.
struct ReferenceCommand: ParsableCommand {
    /// What can be printed.
    enum Topic: String, CaseIterable, ExpressibleByArgument { case settings }

    static let configuration = CommandConfiguration(
        commandName: "reference", abstract: "Print the reference of the settings.")

    @Argument(help: "What to print.")
    var topic = Topic.settings

    func run() {
        print(ServerSettings.table.markdown(), terminator: "")
        print("")
        print(NodeSettings.table.markdown(), terminator: "")
    }
}
