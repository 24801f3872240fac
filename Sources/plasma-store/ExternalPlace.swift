internal import Glibc
internal import PlasmaStore

/// Where `-e` wants evicted objects to be.
enum ExternalPlace: Equatable {
    case directory(String)
    /// A directory that only this user's stores use.
    case temporary

    /// Reads the value of `-e`.
    init(_ text: String) throws(StartError) {
        let file = "file://"
        if text.hasPrefix(file), text.utf8.count > file.utf8.count {
            self = .directory(String(text.dropFirst(file.count)))
        } else if text.hasPrefix("hashtable://") {
            self = .temporary
        } else if !text.isEmpty, !text.contains("://") {
            self = .directory(text)
        } else {
            throw StartError(
                "-e must be file://DIR, a directory or hashtable://NAME, found '\(text)'")
        }
    }

    /// The directory that stores share; each makes its own in it.
    func directory() throws(ArenaError) -> String {
        switch self {
        case .directory(let path): return path
        case .temporary:
            let path = "\(Self.temporaryDirectory)/plasma-store-\(geteuid())"
            mkdir(path, 0o700)
            var status = stat()
            // Anybody may make a directory of that name.
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR,
                status.st_uid == geteuid(), status.st_mode & 0o022 == 0
            else { throw .unfit("\(path) must be a directory that only its owner writes to") }
            return path
        }
    }

    /// What the environment says of temporary files.
    static var temporaryDirectory: String {
        guard let value = getenv("TMPDIR"), value.pointee != 0 else { return "/tmp" }
        return String(cString: value)
    }
}
