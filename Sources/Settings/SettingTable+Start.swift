/// What the arguments of a program say.
public struct StartArguments: Equatable, Sendable {
    /// The settings file, when the first argument is one.
    public var file: String?
    /// The words of each `--name`, in their order.
    public var options: [Option] = []

    /// One `--name value ...`.
    public struct Option: Equatable, Sendable {
        /// The name without its dashes.
        public var name: String
        /// The words up to the next `--`.
        public var words: [String]
    }

    /// Reads `[file] [--name value ...]`, as redis-server does.
    ///
    /// - Throws: `.notAnOption` for a word that belongs to no `--name`.
    public init(_ arguments: [String]) throws(SettingError) {
        var rest = arguments[...]
        if let first = rest.first, !first.hasPrefix("-") {
            file = first
            rest = rest.dropFirst()
        }
        for argument in rest {
            if argument.hasPrefix("--") {
                options.append(Option(name: String(argument.dropFirst(2)), words: []))
            } else if options.isEmpty {
                throw SettingError(name: argument, reason: .notAnOption)
            } else {
                options[options.count - 1].words.append(argument)
            }
        }
    }
}

extension SettingTable {
    /// The values to start with: defaults, then the file, then the flags.
    ///
    /// - Parameters:
    ///   - arguments: what follows the program's name.
    ///   - load: the text of the file of this name; throws `.file` with the system's reason.
    /// - Returns: the values, and the file's name for `rewrite(_:with:)`.
    public func start(
        _ arguments: [String], load: (String) throws(SettingError.Reason) -> String
    ) throws(SettingError) -> (values: Values, file: String?) {
        let arguments = try StartArguments(arguments)
        var values = defaults
        if let file = arguments.file {
            let text: String
            do throws(SettingError.Reason) {
                text = try load(file)
            } catch {
                throw SettingError(name: file, reason: error)
            }
            try readFile(text, into: &values)
        }
        for option in arguments.options {
            try set(option.name, words: option.words, in: &values)
        }
        return (values, arguments.file)
    }

    /// Takes the settings of a file; a later line wins over an earlier one.
    ///
    /// - Throws: the first error, with its line; `values` is unchanged then.
    public func readFile(_ text: String, into values: inout Values) throws(SettingError) {
        var changed = values
        for (index, line) in SettingLine.split(text).enumerated() {
            do throws(SettingError) {
                guard let (name, words) = try SettingLine.read(line) else { continue }
                try set(name, words: words, in: &changed)
            } catch {
                throw SettingError(name: error.name, reason: error.reason, line: index + 1)
            }
        }
        values = changed
    }
}

/// The lines of a settings file.
enum SettingLine {
    static func split(_ text: String) -> [Substring] {
        text.split(omittingEmptySubsequences: false) { $0.isNewline }
    }

    /// The name and the words after it; nil for an empty line and for a comment.
    static func read(
        _ line: Substring
    ) throws(SettingError) -> (name: String, words: [String])? {
        let content = line.drop { $0.isWhitespace }
        guard !content.isEmpty, !content.hasPrefix("#") else { return nil }
        let name = String(content.prefix { !$0.isWhitespace })
        do throws(SettingError.Reason) {
            let words = try SettingWords.split(String(content))
            guard let first = words.first else { return nil }
            return (first, Array(words.dropFirst()))
        } catch {
            throw SettingError(name: name, reason: error)
        }
    }
}
