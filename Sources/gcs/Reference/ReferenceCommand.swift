internal import ArgumentParser
internal import Settings

/// `gcs reference`.
struct ReferenceCommand: ParsableCommand {
    /// What can be printed.
    enum Topic: String, CaseIterable, ExpressibleByArgument { case commands, server, node }

    /// How it can be printed.
    enum Format: String, CaseIterable, ExpressibleByArgument { case markdown, man }

    static let configuration = CommandConfiguration(
        commandName: "reference",
        abstract: "Print the reference of the commands and the settings.",
        discussion: """
            It comes from the same tables as the programs themselves: what it says is what this \
            version does. It needs no server.

            EXAMPLES
              gcs reference                               all of it, as Markdown
              gcs reference commands --format man | man -l -
            """)

    @Argument(
        help: ArgumentHelp(
            "commands: what a server answers to; server: the settings of gcs-server; node: those of "
                + "gcs-node. Default: all.",
            valueName: "topic"))
    var topic: Topic?

    @Option(help: "As Markdown, or as a manual page for man(1), which needs a topic.")
    var format = Format.markdown

    func validate() throws {
        guard format == .man, topic == nil else { return }
        throw ValidationError("a manual page has one topic: \(Topic.allValueStrings)")
    }

    func run() {
        let texts = (topic.map { [$0] } ?? Topic.allCases).map(text)
        print(texts.joined(separator: "\n"), terminator: "")
    }

    private func text(_ topic: Topic) -> String {
        switch topic {
        case .commands: commands
        case .server: text(ServerSettings.table)
        case .node: text(NodeSettings.table)
        }
    }

    private var commands: String {
        switch format {
        case .markdown: CommandManual.markdown()
        case .man: CommandManual.page()
        }
    }

    private func text<Values: Sendable>(_ table: SettingTable<Values>) -> String {
        switch format {
        case .markdown: table.markdown()
        case .man: SettingManual.page(table)
        }
    }
}
