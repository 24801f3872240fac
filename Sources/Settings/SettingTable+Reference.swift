extension SettingTable {
    /// The reference of these settings in Markdown: one table for each section.
    public func markdown() -> String {
        var text = "## \(program)\n"
        for section in sections {
            text += "\n### \(section.title)\n\n"
            text += "| setting | default | values | at run time | what it does |\n"
            text += "|---|---|---|---|---|\n"
            for setting in section.settings {
                let lines = setting.lines(defaults).map { "`\($0)`" }.joined(separator: ", ")
                let cells = [
                    "`\(setting.name)`", lines, setting.accepts, setting.isLive ? "yes" : "no",
                    setting.docs,
                ]
                text += "| " + cells.map(escape).joined(separator: " | ") + " |\n"
            }
        }
        return text
    }

    /// What `--help` prints: how to start the program, and each setting with its default.
    public func help() -> String {
        var text = "Usage: \(program) [\(file)] [--name value ...]\n"
        for section in sections {
            text += "\n\(section.title):\n"
            for setting in section.settings {
                let value = setting.text(defaults)
                text += "  --\(setting.name) (\(value.isEmpty ? "empty" : value))\n"
                text += "      \(setting.docs)\n"
            }
        }
        return text
    }

    private func escape(_ cell: String) -> String {
        String(cell.flatMap { $0 == "|" ? Array("\\|") : [$0] })
    }
}
