import Foundation
import Testing

@Suite struct DocumentationTests {
    @Test(
        "every relative link leads to a file or a heading",
        arguments: Repository.files.filter(\.isMarkdown))
    func links(_ file: SourceFile) throws {
        for target in links(in: file.text) {
            let parts = target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            var path = file.path
            if !parts[0].isEmpty {
                let directory = file.path.split(separator: "/").dropLast().joined(separator: "/")
                let url = URL(
                    fileURLWithPath: String(parts[0]),
                    relativeTo: Repository.root.appending(
                        path: directory + "/"))
                path = String(
                    url.standardizedFileURL.path.dropFirst(
                        Repository.root.standardizedFileURL.path.count + 1))
                #expect(Repository.exists(path), "\(file.path): \(target)")
            }
            guard parts.count == 2, Repository.exists(path) else { continue }
            let headings = try headings(in: Repository.text(path))
            #expect(headings.contains(String(parts[1])), "\(file.path): \(target)")
        }
    }

    @Test("every file among the transcripts has the suffix of those that are replayed")
    func transcripts() {
        let folder = "Tests/CommandsTests/Transcripts/"
        let files = Repository.files.filter { $0.path.hasPrefix(folder) }
        #expect(!files.isEmpty)
        for file in files { #expect(file.path.hasSuffix(".resp")) }
    }

    @Test("sees links and headings")
    func measure() {
        #expect(links(in: "a [b](c.md) [d](https://e) ![f](g.png#h)") == ["c.md", "g.png#h"])
        #expect(headings(in: "# One `two`, three\ntext\n## A-b c") == ["one-two-three", "a-b-c"])
    }

    /// Targets of Markdown links, less those to other sites.
    private func links(in text: String) -> [String] {
        text.matches(of: /\]\(([^)\s]+)\)/).map { String($0.1) }
            .filter { !$0.contains("://") && !$0.hasPrefix("mailto:") }
    }

    /// The anchors that a reader of Markdown makes of headings.
    private func headings(in text: String) -> [String] {
        text.split(separator: "\n").filter { $0.hasPrefix("#") }.map { line in
            let title = line.drop { $0 == "#" }.trimmingCharacters(in: .whitespaces).lowercased()
            return String(
                title.map { $0 == " " ? "-" : $0 }
                    .filter { $0.isLetter || $0.isNumber || $0 == "-" || $0 == "_" })
        }
    }
}
