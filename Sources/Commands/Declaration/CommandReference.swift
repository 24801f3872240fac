/// The commands as a reader's reference lists them: chapter by chapter, subcommands with their
/// container's name before them.
public struct CommandReference: Sendable {
    /// One command that can be sent.
    public struct Entry: Sendable {
        /// How to write it: `GCS.BATCH END <batch> [NOGC]`.
        public let syntax: String
        /// The command.
        public let command: Command
    }

    /// Commands about one thing.
    public struct Chapter: Sendable {
        /// The heading.
        public let title: String
        /// In the order of the list of commands.
        public let entries: [Entry]
    }

    /// In the order of `Command.Group`; none is empty.
    public let chapters: [Chapter]

    /// The reference of a list of commands; the HELP of containers is left out.
    public init(_ commands: [Command] = Command.all) {
        let entries = commands.flatMap { command in
            guard !command.subcommands.isEmpty else {
                return [Entry(syntax: command.syntax, command: command)]
            }
            return command.subcommands.filter { $0.name != "HELP" }.map { subcommand in
                Entry(syntax: "\(command.name) \(subcommand.syntax)", command: subcommand)
            }
        }
        chapters = Command.Group.allCases.compactMap { group in
            let members = entries.filter { $0.command.group == group }
            return members.isEmpty ? nil : Chapter(title: group.rawValue, entries: members)
        }
    }

    /// The reference in Markdown: a chapter each under a heading of the second level.
    public func markdown() -> String {
        var text = ""
        for chapter in chapters {
            text += text.isEmpty ? "" : "\n"
            text += "## \(chapter.title)\n"
            for entry in chapter.entries {
                text += "\n`\(entry.syntax)`\n\n\(entry.command.summary)\n"
                text += "Reply: \(entry.command.reply). Cost: \(entry.command.complexity).\n"
            }
        }
        return text
    }
}
