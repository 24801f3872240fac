import Foundation
import Testing

/// The files of this package, for tests that read them.
enum Repository {
    static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// Whether generated files are to be written rather than compared.
    static let updatesGenerated = ProcessInfo.processInfo.environment["UPDATE_GENERATED"] == "1"

    /// A file's text, by its path from the root.
    static func text(_ path: String) throws -> String {
        try String(contentsOf: root.appending(path: path), encoding: .utf8)
    }

    /// Whether there is a file or a directory at a path from the root.
    static func exists(_ path: String) -> Bool {
        FileManager.default.fileExists(atPath: root.appending(path: path).path)
    }

    /// Every file that people write, sorted by its path from the root.
    static let files: [SourceFile] = {
        let skipped: Set = [".build", ".git", "__pycache__", ".pytest_cache", "Package.resolved"]
        guard let walker = FileManager.default.enumerator(atPath: root.path) else { return [] }
        var files: [SourceFile] = []
        for case let path as String in walker {
            let name = path.split(separator: "/").last.map(String.init) ?? path
            if skipped.contains(name) || name.hasPrefix(".build") {
                walker.skipDescendants()
            } else if let text = try? text(path) {
                files.append(SourceFile(path: path, text: text))
            }
        }
        return files.sorted { $0.path < $1.path }
    }()

    /// The Swift files below `Sources`.
    static let sources = files.filter { $0.path.hasPrefix("Sources/") && $0.isSwift }
}

/// One file that people write.
struct SourceFile: Sendable, CustomTestStringConvertible {
    /// From the root of the package.
    let path: String
    let text: String
    /// Without line breaks.
    let lines: [Substring]

    init(path: String, text: String) {
        self.path = path
        self.text = text
        // Bytes rather than characters: ten times as fast.
        lines = text.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
            .map { Substring($0) }
    }

    var testDescription: String { path }
    var isSwift: Bool { path.hasSuffix(".swift") }
    var isMarkdown: Bool { path.hasSuffix(".md") }

    /// Whether the text has this word anywhere; quick, so that most files are not searched by line.
    func has(_ word: String) -> Bool { text.range(of: word, options: .literal) != nil }

    /// The target of a file below `Sources` or `Tests`.
    var target: String {
        let parts = path.split(separator: "/")
        return parts.count > 1 ? String(parts[1]) : ""
    }
}
