import Foundation

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
}
