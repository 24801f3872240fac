internal import Settings

/// The settings of one program as a manual page.
enum SettingManual {
    /// `gcs.conf(5)` or the like.
    static func page<Values: Sendable>(_ table: SettingTable<Values>) -> String {
        let file = table.file.split(separator: "/").last.map(String.init) ?? table.file
        var page = ManPage(file, section: 5, summary: "settings of \(table.program)")
        page.heading("Description")
        page.paragraph(
            "Each setting can stand in the settings file (`name value`) or be given as a flag "
                + "(`--name value`). Underscores are accepted for hyphens. A number of bytes may "
                + "have one of Redis' units: `1k` is 1000, `1kb` is 1024; `m`, `mb`, `g`, `gb` "
                + "likewise.")
        for section in table.sections {
            page.heading(section.title)
            for setting in section.settings {
                let value = table.get([setting.name], from: table.defaults).first?.text ?? ""
                page.entry(
                    setting.name,
                    [
                        setting.docs,
                        "Values: \(setting.accepts). Default: "
                            + "\(value.isEmpty ? "empty" : "`\(value)`"). "
                            + (setting.isLive ? "May change at run time." : "Read at start only."),
                    ])
            }
        }
        return page.text
    }
}
