internal import Foundation

/// A directory that goes, with all in it, when its owner does.
struct TemporaryDirectory: ~Copyable {
    /// Its path, without a slash at the end.
    let path: String

    /// Makes one under $TMPDIR, or under /tmp where that is too long for a socket's path.
    init() throws(Failure) {
        let wished = ProcessInfo.processInfo.environment["TMPDIR"] ?? "/tmp"
        // The path of a socket has 107 bytes at most.
        let parent = wished.isEmpty || wished.utf8.count > 70 ? "/tmp" : wished
        var template = Array("\(parent)/gcs-demo-XXXXXX".utf8CString)
        guard let made = mkdtemp(&template) else {
            throw Failure(
                "cannot make a directory in \(parent): \(String(cString: strerror(errno)))")
        }
        path = String(cString: made)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
