internal import ArgumentParser
internal import Settings

/// `gcs reference`.
struct ReferenceCommand: ParsableCommand {
    /// What can be printed.
    enum Topic: String, CaseIterable, ExpressibleByArgument { case server, node }

    /// How it can be printed.
    enum Format: String, CaseIterable, ExpressibleByArgument { case markdown, man }

    static let configuration = CommandConfiguration(
        commandName: "reference",
        abstract: "Print the reference of the settings.",
        discussion: """
            It comes from the same tables as the programs themselves: what it says is what this \
            version does. It needs no server.

            EXAMPLES
              gcs reference                               all of it, as Markdown
              gcs reference server --format man | man -l -
            """)

    @Argument(
        help: ArgumentHelp(
            "server: the settings of gcs-server; node: those of gcs-node; default: all.",
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
        case .server: text(ServerSettings.table)
        case .node: text(NodeSettings.table)
        }
    }

    private func text<Values: Sendable>(_ table: SettingTable<Values>) -> String {
        switch format {
        case .markdown: table.markdown()
        case .man: SettingReference.manPage(table)
        }
    }
}
