/// Why a setting was refused; nothing was changed.
public struct SettingError: Error, Equatable, Sendable {
    /// What is wrong with it.
    public enum Reason: Error, Equatable, Sendable {
        /// No setting has this name.
        case unknown
        /// The setting is read at start only.
        case immutable
        /// The same setting was named twice in one request.
        case duplicate
        /// Too few or too many words for this setting.
        case wordCount
        /// A quote was opened and not closed.
        case quotes
        /// The words before the first `--name` are more than a file's name.
        case notAnOption
        /// The file could not be read; the text is the system's.
        case file(String)
        /// The value is not one of this setting's; the text says which are.
        case value(String)
    }

    /// The setting's name, or the file's, as it was given.
    public var name: String
    /// What is wrong with it.
    public var reason: Reason
    /// The line of the settings file, counted from 1; nil outside files.
    public var line: Int?

    /// An error about the setting `name`.
    public init(name: String, reason: Reason, line: Int? = nil) {
        self.name = name
        self.reason = reason
        self.line = line
    }
}

extension SettingError.Reason {
    /// The reason alone, in Redis' words where Redis has them.
    public var text: String {
        switch self {
        case .unknown: "no such setting"
        case .immutable: "can't set immutable config"
        case .duplicate: "duplicate parameter"
        case .wordCount: "wrong number of arguments"
        case .quotes: "unbalanced quotes"
        case .notAnOption: "expected a settings file and then '--name value' pairs"
        case .file(let text), .value(let text): text
        }
    }
}

extension SettingError: CustomStringConvertible {
    /// The reply to `CONFIG SET`, as Redis 7.0 words it.
    public var reply: String {
        if reason == .unknown {
            return "ERR Unknown option or number of arguments for CONFIG SET - '\(name)'"
        }
        return "ERR CONFIG SET failed (possibly related to argument '\(name)') - \(reason.text)"
    }

    /// One line for an operator who starts a program: where, which setting, why.
    public var description: String {
        let place = line.map { "line \($0): " } ?? ""
        return "\(place)\(name): \(reason.text)"
    }
}
