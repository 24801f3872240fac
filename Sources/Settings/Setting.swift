/// One setting of a program: its name, where its value lives, what it may be, and what it is for.
///
/// The default is the value that `Values` starts with, so that it stands in one place only.
public struct Setting<Values: Sendable>: Sendable {
    /// The name in files, flags and `CONFIG`: lower case, words joined by hyphens.
    public let name: String
    /// Whether `CONFIG SET` may change it; otherwise it is read at start only.
    public let isLive: Bool
    /// Sentences for an operator.
    public let docs: String
    /// The values that are accepted, in words.
    public let accepts: String
    /// A value to show in the example file when the default is empty.
    let example: String?

    /// The value as `CONFIG GET` prints it.
    let text: @Sendable (Values) -> String
    /// The value as the words after the name, one element per line of a settings file.
    let lines: @Sendable (Values) -> [String]
    /// Puts the value of these words in place, or changes nothing.
    let write: @Sendable (inout Values, [String]) throws(SettingError.Reason) -> Void
    /// Whether a value is several words, so that `CONFIG SET` has to split its one argument.
    let hasManyWords: Bool

    /// A setting stored at `path`.
    ///
    /// - Parameters:
    ///   - name: as in files and flags.
    ///   - path: where the value lives.
    ///   - kind: how text becomes a value.
    ///   - isLive: whether it may change at run time.
    ///   - example: shown, commented out, when the default is empty.
    ///   - docs: sentences for an operator.
    public init<Value: Sendable>(
        _ name: String, _ path: any WritableKeyPath<Values, Value> & Sendable,
        _ kind: SettingKind<Value>, isLive: Bool = true, example: String? = nil, docs: String
    ) {
        self.name = name
        self.isLive = isLive
        self.docs = docs
        self.example = example
        accepts = kind.accepts
        hasManyWords = kind.hasManyWords
        text = { kind.text($0[keyPath: path]) }
        lines = { kind.lines($0[keyPath: path]) }
        write = { (values: inout Values, words: [String]) throws(SettingError.Reason) in
            if !kind.hasManyWords && words.count != 1 { throw .wordCount }
            values[keyPath: path] = try kind.parse(words, values[keyPath: path])
        }
    }
}

/// Settings that a reader of the example file and the reference finds together.
public struct SettingSection<Values: Sendable>: Sendable {
    /// The heading.
    public let title: String
    /// In the order in which they are shown.
    public let settings: [Setting<Values>]

    /// A heading and its settings.
    public init(_ title: String, _ settings: [Setting<Values>]) {
        self.title = title
        self.settings = settings
    }
}
