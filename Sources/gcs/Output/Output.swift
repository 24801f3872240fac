internal import Foundation

/// Where the results of a command go.
enum Output {
    /// Prints lines on the standard output.
    static func write(_ lines: [String]) {
        for line in lines { print(line) }
        // Before what follows on the standard error, and for readers of a pipe.
        fflush(nil)
    }

    /// Prints a value as JSON, keys in order and words in them joined by hyphens, as in the server's
    /// maps.
    static func write(json value: some Encodable) throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .custom { path in
            HyphenatedKey(stringValue: path.last?.stringValue ?? "")
        }
        print(String(decoding: try encoder.encode(value), as: UTF8.self))
    }

    /// A text in lines of at most 79 characters, where its words allow.
    static func wrapped(_ text: String) -> [String] {
        var lines: [String] = []
        for word in text.split(separator: " ") {
            if let last = lines.last, last.count + 1 + word.count <= 79 {
                lines[lines.count - 1] = "\(last) \(word)"
            } else {
                lines.append(String(word))
            }
        }
        return lines
    }

    /// Prints a line on the standard error.
    static func complain(_ line: String) { writeToStandardError(line + "\n") }

    /// Writes text on the standard error as it is.
    static func writeToStandardError(_ text: String) {
        FileHandle.standardError.write(Data(text.utf8))
    }

    /// Whether a person looks at the standard error.
    static var isErrorTerminal: Bool { isatty(STDERR_FILENO) == 1 }

    /// Characters in a line of the standard error's terminal; 80 when it does not say.
    static var errorTerminalWidth: Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Whether a person can answer a question.
    static var isInteractive: Bool { isatty(STDIN_FILENO) == 1 && isErrorTerminal }
}

/// `longObjectCount` as `long-object-count`.
private struct HyphenatedKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) {
        self.stringValue = stringValue.map { $0.isUppercase ? "-\($0.lowercased())" : "\($0)" }
            .joined()
    }

    init?(intValue: Int) { nil }
}
