internal import EventLoop
internal import Platform
internal import Settings

/// The log: one line per event, with the local time.
final class EventLog {
    private let output: TextOutput
    private let level: LogLevel

    /// Appends to the file at `path`, or writes to standard output when that is empty; `nil` when
    /// the file cannot be opened.
    init?(path: String, level: LogLevel) {
        guard let output = TextOutput(path: path) else { return nil }
        self.output = output
        self.level = level
    }

    func write(_ level: LogLevel, _ text: String) {
        guard level >= self.level else { return }
        output.write("\(SystemClock.localTime) \(level.rawValue): \(text)\n")
    }
}
