internal import Commands

/// The reference of the commands, as text.
enum CommandManual {
    /// In Markdown.
    static func markdown() -> String { CommandReference().markdown() }

    /// `gcs-commands(7)`.
    static func page() -> String {
        var page = ManPage("gcs-commands", section: 7, summary: "commands of gcs-server")
        page.heading("Description")
        page.paragraph(
            "A server speaks RESP: try them with `redis-cli`. Angle brackets stand for a value, "
                + "square brackets for what may be left out. A task's or object's id is 20 raw "
                + "bytes or 40 hexadecimal digits. A map is a flat array in RESP2. Each command "
                + "with subcommands answers `HELP` too.")
        for chapter in CommandReference().chapters {
            page.heading(chapter.title)
            for entry in chapter.entries {
                let command = entry.command
                page.entry(
                    entry.syntax,
                    [command.summary, "Reply: \(command.reply). Cost: \(command.complexity)."])
            }
        }
        return page.text
    }
}
