/// A manual page for man(1), in the macros of man(7).
struct ManPage {
    /// The page, ready to be written to a file.
    private(set) var text: String

    /// An empty page `name(section)`.
    ///
    /// - Parameter summary: what `name` is, in a few words.
    init(_ name: String, section: Int, summary: String) {
        text = ".TH \(Self.quoted(name.uppercased())) \(section)\n"
        heading("NAME")
        // apropos(1) wants a backslash before the dash, and nothing else on the line.
        text += "\(Self.escaped(name)) \\- \(Self.escaped(summary))\n"
    }

    /// A section.
    mutating func heading(_ title: String) { text += ".SH \(Self.quoted(title.uppercased()))\n" }

    /// A paragraph; words between backticks are bold.
    mutating func paragraph(_ words: String) { text += ".PP\n\(Self.marked(words))\n" }

    /// A term in bold and, indented below it, paragraphs about it.
    mutating func entry(_ term: String, _ paragraphs: [String]) {
        text += ".TP\n\\fB\(Self.escaped(term))\\fR\n"
        text += paragraphs.map(Self.marked).joined(separator: "\n.IP\n") + "\n"
    }

    /// Words between backticks in bold; Markdown's other marks do not occur in our tables.
    private static func marked(_ words: String) -> String {
        let parts = words.split(separator: "`", omittingEmptySubsequences: false)
        return escaped(
            parts.enumerated().map { index, part in
                index.isMultiple(of: 2) ? String(part) : "\u{1}\(part)\u{2}"
            }.joined()
        ).replacing("\u{1}", with: "\\fB").replacing("\u{2}", with: "\\fR")
    }

    /// Text that man(7) leaves as it is: no escapes, no dashes, no line that looks like a request.
    private static func escaped(_ words: String) -> String {
        let safe = words.replacing("\\", with: "\\e").replacing("-", with: "\\-")
        return safe.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            line.hasPrefix(".") || line.hasPrefix("'") ? "\\&\(line)" : String(line)
        }.joined(separator: "\n")
    }

    private static func quoted(_ words: String) -> String {
        "\"\(escaped(words).replacing("\"", with: "\\(dq"))\""
    }
}
