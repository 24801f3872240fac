internal import EventLoop
internal import Glibc
internal import Settings

/// The log: one line per event, with the time in UTC.
final class EventLog {
    private let descriptor: Int32
    private let level: LogLevel

    /// Appends to the file at `path`, or writes to standard output when that is empty.
    ///
    /// `nil`, with `errno`, when the file cannot be opened.
    init?(path: String, level: LogLevel) {
        self.level = level
        descriptor =
            path.isEmpty
            ? STDOUT_FILENO : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0o644)
        if descriptor < 0 { return nil }
    }

    deinit { if descriptor != STDOUT_FILENO { close(descriptor) } }

    func write(_ level: LogLevel, _ text: String) {
        guard level >= self.level else { return }
        var line = "\(Self.time()) \(level.rawValue): \(text)\n"
        // A log that cannot be written is no reason to end.
        line.withUTF8 { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }

    private static func time() -> String {
        let milliseconds = Loop.unixMilliseconds
        var seconds = time_t(milliseconds / 1000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func digits(_ value: Int, _ count: Int) -> String {
            let text = "\(value)"
            return String(repeating: "0", count: max(0, count - text.count)) + text
        }
        let day = [Int(parts.tm_mon) + 1, Int(parts.tm_mday)].map { digits($0, 2) }
        let hour = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { digits(Int($0), 2) }
        return "\(1900 + Int(parts.tm_year))-\(day.joined(separator: "-"))T"
            + "\(hour.joined(separator: ":")).\(digits(Int(milliseconds % 1000), 3))Z"
    }
}
