import Commands
import Foundation
import Settings
import Testing

/// A file that is made from a table in the code.
struct GeneratedFile: CustomTestStringConvertible {
    let path: String
    let text: String

    var testDescription: String { path }

    static let all = [
        GeneratedFile(
            path: ServerSettings.table.file, text: ServerSettings.table.exampleFile()),
        GeneratedFile(path: NodeSettings.table.file, text: NodeSettings.table.exampleFile()),
        GeneratedFile(path: "Documentation/settings.md", text: settings),
        GeneratedFile(path: "Documentation/commands.md", text: commands),
    ]

    private static let commands = """
        # Commands

        Angle brackets stand for a value, square brackets for what may be left out. A task's or
        object's id is 20 raw bytes or 40 hexadecimal digits. A map is a flat array in RESP2. Each
        command with subcommands answers `HELP` too. This page is generated from the code: see
        CONTRIBUTING.md.

        \(CommandReference().markdown())
        """

    private static let settings = """
        # Settings

        Each setting can stand in the program's settings file (`name value`), be given as a flag
        (`--name value`), and, for the server, be read with `CONFIG GET` and changed with
        `CONFIG SET` when the table says so. Underscores are accepted for hyphens. A number of
        bytes may have one of Redis' units: `1k` is 1000, `1kb` is 1024; `m`, `mb`, `g`, `gb`
        likewise. This page is generated from the code: see CONTRIBUTING.md.

        \(ServerSettings.table.markdown())
        \(NodeSettings.table.markdown())
        """
}

@Suite struct GeneratedFilesTests {
    @Test(
        "are as the code makes them; UPDATE_GENERATED=1 writes them", arguments: GeneratedFile.all)
    func fresh(_ file: GeneratedFile) throws {
        let url = Repository.root.appending(path: file.path)
        if Repository.updatesGenerated {
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try file.text.write(to: url, atomically: true, encoding: .utf8)
        }
        #expect(
            try Repository.text(file.path) == file.text,
            "\(file.path) is stale: run 'make docs' and commit the result")
    }
}
