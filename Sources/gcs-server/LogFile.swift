internal import EventLoop
internal import Platform
internal import Settings
internal import Synchronization

/// The server's log: a line for each event, to a file or to standard output.
final class LogFile: Sendable {
    private struct State {
        var level: LogLevel
        var output: TextOutput
    }

    private let path: String
    private let state: Mutex<State>

    /// `nil` when the file cannot be opened; the reason is in `FileText.lastError`.
    init?(_ settings: ServerSettings) {
        path = settings.logFilePath
        guard let output = TextOutput(path: path) else { return nil }
        state = Mutex(State(level: settings.logLevel, output: output))
    }

    /// Lines below it are left out.
    var level: LogLevel {
        get { state.withLock { $0.level } }
        set { state.withLock { $0.level = newValue } }
    }

    /// Opens the file anew, after it was moved away.
    func reopen() {
        guard let output = TextOutput(path: path) else { return }
        state.withLock { $0.output = output }
    }

    /// Writes a line with the time and the process.
    func write(_ level: LogLevel, _ text: String) {
        let mark =
            switch level {
            case .debug: "."
            case .verbose: "-"
            case .notice: "*"
            case .warning: "#"
            }
        state.withLock { state in
            guard level >= state.level else { return }
            state.output.write("\(SystemProcess.id) \(SystemClock.localTime) \(mark) \(text)\n")
        }
    }
}
