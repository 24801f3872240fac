/// How much a program writes to its log; each level includes those after it.
public enum LogLevel: String, CaseIterable, Comparable, Sendable {
    /// Everything, for development.
    case debug
    /// Connections and other frequent events.
    case verbose
    /// What an operator wants to know in production.
    case notice
    /// Only what needs attention.
    case warning

    /// Whether `first` tells more than `second`.
    public static func < (first: LogLevel, second: LogLevel) -> Bool {
        first.rank < second.rank
    }

    private var rank: Int {
        switch self {
        case .debug: 0
        case .verbose: 1
        case .notice: 2
        case .warning: 3
        }
    }
}
