/// The settings of one program: the source of its flags, its settings file, `CONFIG` and docs.
public struct SettingTable<Values: Sendable>: Sendable {
    /// When a setting is given.
    public enum Moment: Sendable {
        /// From the settings file or a flag: every setting may be given.
        case start
        /// From `CONFIG SET`: only live settings may.
        case runTime
    }

    /// The program's name.
    public let program: String
    /// The path of the example file, from the root of the package.
    public let file: String
    /// The values before any file or flag.
    public let defaults: Values
    /// In the order of the example file.
    public let sections: [SettingSection<Values>]

    private let settings: [Setting<Values>]
    private let indexOfName: [String: Int]

    /// A table of sections whose settings have different names.
    public init(
        program: String, file: String, defaults: Values, sections: [SettingSection<Values>]
    ) {
        self.program = program
        self.file = file
        self.defaults = defaults
        self.sections = sections
        settings = sections.flatMap(\.settings)
        let names = settings.map(\.name)
        precondition(Set(names).count == names.count, "two settings have the same name")
        indexOfName = Dictionary(uniqueKeysWithValues: zip(names, names.indices))
    }

    /// Every setting's name, in the order of the example file.
    public var names: [String] { settings.map(\.name) }

    var all: [Setting<Values>] { settings }

    /// The setting of this name; letters of any case, and underscores for hyphens.
    public func setting(_ name: String) -> Setting<Values>? {
        indexOfName[canonical(name)].map { settings[$0] }
    }

    /// The names and values that match one of the patterns, as `CONFIG GET` lists them.
    ///
    /// A name without wildcards is answered under its own spelling, so that a client that asks
    /// for `flush_period_secs` finds what it asked for; each setting is listed once.
    public func get(_ patterns: [String], from values: Values) -> [(name: String, text: String)] {
        var nameOfIndex: [Int: String] = [:]
        for pattern in patterns {
            if pattern.contains(where: { "*?[".contains($0) }) {
                let glob = Glob(canonical(pattern).utf8, ignoringCase: true)
                for index in settings.indices
                where nameOfIndex[index] == nil && glob.matches(settings[index].name.utf8) {
                    nameOfIndex[index] = settings[index].name
                }
            } else if let index = indexOfName[canonical(pattern)], nameOfIndex[index] == nil {
                nameOfIndex[index] = pattern.lowercased()
            }
        }
        return settings.indices.compactMap { index in
            nameOfIndex[index].map { ($0, settings[index].text(values)) }
        }
    }

    /// Sets one value, or changes nothing.
    public func set(
        _ name: String, _ text: String, in values: inout Values, at moment: Moment
    ) throws(SettingError) {
        try set([(name, text)], in: &values, at: moment)
    }

    /// Sets all values, or changes nothing.
    ///
    /// - Throws: the first error: names are checked before values, as in Redis.
    public func set(
        _ pairs: [(name: String, text: String)], in values: inout Values, at moment: Moment
    ) throws(SettingError) {
        var seen: Set<String> = []
        for (name, _) in pairs {
            guard let setting = setting(name) else {
                throw SettingError(name: name, reason: .unknown)
            }
            if moment == .runTime && !setting.isLive {
                throw SettingError(name: name, reason: .immutable)
            }
            if !seen.insert(setting.name).inserted {
                throw SettingError(name: name, reason: .duplicate)
            }
        }
        var changed = values
        for (name, text) in pairs {
            let hasManyWords = setting(name)?.hasManyWords ?? false
            let words = hasManyWords ? text.split(separator: " ").map(String.init) : [text]
            try set(name, words: words, in: &changed)
        }
        values = changed
    }

    /// Sets one value that came as words, or changes nothing; live or not.
    func set(_ name: String, words: [String], in values: inout Values) throws(SettingError) {
        guard let setting = setting(name) else { throw SettingError(name: name, reason: .unknown) }
        do throws(SettingError.Reason) {
            try setting.write(&values, words)
        } catch {
            throw SettingError(name: name, reason: error)
        }
    }

    func canonical(_ name: String) -> String {
        String(name.lowercased().map { $0 == "_" ? "-" : $0 })
    }
}
