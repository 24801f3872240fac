/// Why a log could not be read or written.
public enum LogError: Error, Equatable, Sendable {
    /// A system call failed.
    case system(call: String, path: String, reason: String)
    /// Another process has the directory.
    case locked(path: String)
    /// The manifest is not one.
    case manifest(path: String, line: Int, reason: String)
    /// A file that the manifest names is not there.
    case missing(path: String)
    /// The flushed records that the log counts on cannot be taken over.
    case flushed(reason: String)
    /// A file does not hold what it should.
    case damaged(path: String, offset: Int, reason: String)
}

extension LogError: CustomStringConvertible {
    /// The file, the place, and what is wrong.
    public var description: String {
        switch self {
        case .system(let call, let path, let reason): "\(call) \(path): \(reason)"
        case .locked(let path): "\(path) is in use by another gcs-server"
        case .manifest(let path, let line, let reason): "\(path), line \(line): \(reason)"
        case .flushed(let reason): reason
        case .missing(let path): "\(path) is in the manifest but not on the disk"
        case .damaged(let path, let offset, let reason):
            "\(path) is damaged at byte \(offset): \(reason)"
        }
    }
}
