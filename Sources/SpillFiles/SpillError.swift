/// Why spilled bytes could not be written or read.
public enum SpillError: Error, Equatable, Sendable {
    /// A system call failed.
    case system(call: String, path: String, reason: String)
    /// Every directory's file system is fuller than allowed; the least full one.
    case full(path: String, used: Double, limit: Double)
    /// A file does not hold what it should.
    case damaged(path: String, reason: String)

    /// Whether more room on the disk would help.
    public var isLackOfRoom: Bool {
        switch self {
        case .full: true
        case .system(_, _, let reason): reason == "no space left on device"
        case .damaged: false
        }
    }
}

extension SpillError: CustomStringConvertible {
    /// The path, and what is wrong.
    public var description: String {
        switch self {
        case .system(let call, let path, let reason): "\(call) \(path): \(reason)"
        case .full(let path, let used, let limit):
            "the file system of \(path) is \(Self.percent(used)) full, the limit is "
                + Self.percent(limit)
        case .damaged(let path, let reason): "\(path): \(reason)"
        }
    }

    private static func percent(_ fraction: Double) -> String {
        let tenths = Int((fraction * 1000).rounded())
        return "\(tenths / 10).\(tenths % 10) %"
    }
}
