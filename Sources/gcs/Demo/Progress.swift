internal import Platform

/// One line that says how far a long run is: in place on a terminal, now and then elsewhere.
struct Progress {
    private let isTerminal = Output.isErrorTerminal
    private var lastNanoseconds: UInt64 = 0

    /// Shows the line, unless the last one was shown just now.
    mutating func show(_ line: @autoclosure () throws -> String) rethrows {
        let now = SystemClock.monotonicNanoseconds
        let period: UInt64 = isTerminal ? 200_000_000 : 5_000_000_000
        guard now - lastNanoseconds >= period else { return }
        lastNanoseconds = now
        let line = try line()
        if isTerminal {
            Output.writeToStandardError("\r\u{1b}[K" + line.prefix(Output.errorTerminalWidth - 1))
        } else {
            Output.complain(line)
        }
    }

    /// Takes the line off a terminal.
    mutating func clear() {
        if isTerminal, lastNanoseconds > 0 { Output.writeToStandardError("\r\u{1b}[K") }
        lastNanoseconds = 0
    }
}
