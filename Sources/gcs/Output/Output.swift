internal import Foundation

/// Where the results of a command go.
enum Output {
    /// Prints lines on the standard output.
    static func write(_ lines: [String]) {
        for line in lines { print(line) }
        // Before what follows on the standard error, and for readers of a pipe.
        fflush(nil)
    }

    /// Prints a value as JSON, keys in order, and ends the line.
    static func write(json value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// Prints a line on the standard error.
    static func complain(_ line: String) { writeToStandardError(line + "\n") }

    /// Writes text on the standard error as it is.
    static func writeToStandardError(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }

    /// Whether a person looks at the standard error.
    static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Whether a person can answer a question.
    static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isErrorTerminal }
}
