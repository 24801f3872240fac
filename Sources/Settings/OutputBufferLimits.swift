/// How many bytes of replies a client may leave unread before it is dropped; 0 is no limit.
public struct OutputBufferLimit: Equatable, Sendable {
    /// Above this many bytes the client is dropped at once.
    public var hardByteCount: Int
    /// Above this many bytes for longer than `softDuration` the client is dropped.
    public var softByteCount: Int
    /// How long a client may stay above `softByteCount`.
    public var softDuration: Duration

    /// A limit of so many bytes, and of so many bytes for so long.
    public init(hardByteCount: Int, softByteCount: Int, softDuration: Duration) {
        self.hardByteCount = hardByteCount
        self.softByteCount = softByteCount
        self.softDuration = softDuration
    }
}

/// The limits of each class of clients: `client-output-buffer-limit`.
public struct OutputBufferLimits: Equatable, Sendable {
    private static let mebibyte = 1 << 20

    /// Clients that ask and are answered.
    public var normal = OutputBufferLimit(
        hardByteCount: 256 * mebibyte, softByteCount: 64 * mebibyte, softDuration: .seconds(60))
    /// Replicas; kept for the sake of Redis' configuration files.
    public var replica = OutputBufferLimit(
        hardByteCount: 256 * mebibyte, softByteCount: 64 * mebibyte, softDuration: .seconds(60))
    /// Clients with at least one subscription.
    public var pubsub = OutputBufferLimit(
        hardByteCount: 32 * mebibyte, softByteCount: 8 * mebibyte, softDuration: .seconds(60))

    /// The defaults.
    public init() {}

    private typealias Path = WritableKeyPath<OutputBufferLimits, OutputBufferLimit> & Sendable
    private static let classes: [(name: String, path: any Path)] =
        [("normal", \.normal), ("replica", \.replica), ("pubsub", \.pubsub)]
}

extension OutputBufferLimits {
    /// Takes `class hard soft seconds`, once or several times; other classes keep their limits.
    mutating func read(_ words: [String]) throws(SettingError.Reason) {
        guard words.count % 4 == 0 else {
            throw .value("Wrong number of arguments in buffer limit configuration.")
        }
        for start in stride(from: 0, to: words.count, by: 4) {
            let name = words[start].lowercased()
            // Redis' older name for a replica.
            let wanted = name == "slave" ? "replica" : name
            guard let path = Self.classes.first(where: { $0.name == wanted })?.path else {
                throw .value("Invalid client class specified in buffer limit configuration.")
            }
            guard let hard = ByteCount.parse(words[start + 1]),
                let soft = ByteCount.parse(words[start + 2]),
                let seconds = Int32(words[start + 3]), seconds >= 0
            else {
                throw .value(
                    "Error in hard, soft or soft_seconds setting in buffer limit configuration.")
            }
            self[keyPath: path] = OutputBufferLimit(
                hardByteCount: hard, softByteCount: soft, softDuration: .seconds(seconds))
        }
    }

    /// One line for each class, in a settings file's units.
    var lines: [String] {
        Self.classes.map { name, path in
            let limit = self[keyPath: path]
            let hard = ByteCount.shortest(limit.hardByteCount)
            let soft = ByteCount.shortest(limit.softByteCount)
            return "\(name) \(hard) \(soft) \(limit.softDuration.components.seconds)"
        }
    }

    /// All classes on one line, in bytes, with Redis 7.0's name for replicas.
    var text: String {
        Self.classes.map { name, path in
            let limit = self[keyPath: path]
            let shown = name == "replica" ? "slave" : name
            return "\(shown) \(limit.hardByteCount) \(limit.softByteCount) "
                + "\(limit.softDuration.components.seconds)"
        }.joined(separator: " ")
    }
}

extension SettingKind where Value == OutputBufferLimits {
    /// Triples of limits, each behind the name of its class.
    public static let outputBufferLimits = SettingKind(
        accepts: "`normal`, `replica` or `pubsub`, then hard limit, soft limit, seconds",
        hasManyWords: true,
        parse: { (words, old) throws(SettingError.Reason) in
            var limits = old
            try limits.read(words)
            return limits
        },
        text: { $0.text }, lines: { $0.lines })
}
