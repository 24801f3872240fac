internal import AppendOnlyFile
internal import Settings

extension AppendSync {
    /// The same in the words of the log.
    var sync: LogSync {
        switch self {
        case .always: .always
        case .everysec: .everySecond
        case .no: .never
        }
    }
}
