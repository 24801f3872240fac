internal import Foundation

/// A directory for as long as something runs.
enum TemporaryDirectory {
    /// Makes a directory, lends its path, and removes it with all that is in it.
    static func lend<Result>(_ body: (_ path: String) throws -> Result) throws -> Result {
        let path = try make()
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try body(path)
    }

    /// Makes one under $TMPDIR, or under /tmp where that is too long for a socket's path.
    private static func make() throws(Failure) -> String {
        let wished = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        // The path of a socket has 107 bytes at most.
        let parent = wished.isEmpty || wished.utf8.count > 70 ? "/tmp" : wished
        var template = Array("\(parent)/gcs-demo-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw Failure(
                "cannot make a directory in \(parent): \(String(cString: strerror(errno)))")
        }
        return String(cString: made)
    }
}
