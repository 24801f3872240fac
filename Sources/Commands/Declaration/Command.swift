internal import RESP

/// A command: everything that dispatch, COMMAND and the reference know about it.
public struct Command: Sendable {
    /// What a command carries out.
    ///
    /// A plain function that captures nothing, so that calling it costs
    /// neither an allocation nor a reference count.
    public typealias Handler = @Sendable (inout Call) throws(CommandError) -> Void

    /// Properties of a command, in the words of COMMAND INFO.
    public struct Flags: OptionSet, Sendable {
        /// The bits.
        public let rawValue: UInt16

        /// Flags from their bits.
        public init(rawValue: UInt16) { self.rawValue = rawValue }

        /// It may change records.
        public static let write = Flags(rawValue: 1 << 0)
        /// It changes no record.
        public static let readOnly = Flags(rawValue: 1 << 1)
        /// It takes constant or logarithmic time.
        public static let fast = Flags(rawValue: 1 << 2)
        /// It manages the server.
        public static let admin = Flags(rawValue: 1 << 3)
        /// It is about channels.
        public static let pubSub = Flags(rawValue: 1 << 4)
        /// It may wait.
        public static let blocking = Flags(rawValue: 1 << 5)
        /// A connection in RESP2 may send it while it is subscribed.
        public static let whileSubscribed = Flags(rawValue: 1 << 6)

        /// It adds records, and waits while memory has no room for them.
        public static let addsRecords = Flags(rawValue: 1 << 7)

        var words: [StaticString] {
            var words: [StaticString] = []
            if contains(.write) { words.append("write") }
            if contains(.readOnly) { words.append("readonly") }
            if contains(.fast) { words.append("fast") }
            if contains(.admin) { words.append("admin") }
            if contains(.pubSub) { words.append("pubsub") }
            if contains(.blocking) { words.append("blocking") }
            return words
        }
    }

    /// A chapter of the reference.
    public enum Group: String, Sendable, CaseIterable {
        /// GCS.BATCH.
        case batches = "Batches"
        /// GCS.TASK.
        case tasks = "Tasks"
        /// GCS.OBJECT.
        case objects = "Objects"
        /// GCS.REF.
        case references = "References"
        /// GCS.NODE.
        case nodes = "Nodes"
        /// The key space.
        case keys = "Keys"
        /// Hashes, as records show themselves.
        case hashes = "Hashes"
        /// Sets, as batches show themselves.
        case sets = "Sets"
        /// The log of deletions.
        case log = "Deletion log"
        /// Channels.
        case pubSub = "Pub/sub"
        /// The connection.
        case connection = "Connection"
        /// The server.
        case server = "Server"
    }

    /// Which words are keys, counted from the command's name; `last` may count from the end.
    public struct Keys: Sendable {
        var first: Int
        var last: Int
        var step: Int

        /// The first argument.
        public static let one = Keys(first: 1, last: 1, step: 1)
        /// Every argument.
        public static let all = Keys(first: 1, last: -1, step: 1)
        /// The argument after the subcommand.
        public static let afterSubcommand = Keys(first: 2, last: 2, step: 1)
        /// Those after the word STREAMS.
        public static let afterStreams = Keys(first: 0, last: 0, step: -1)
    }

    /// Its name, in capitals; a subcommand's without its container's.
    public let name: String
    /// What it does: one sentence.
    public let summary: String
    /// The first version that has it.
    public let since: String
    /// Where the reference lists it.
    public let group: Group
    /// Its cost, as a function of what it is given.
    public let complexity: String
    /// Its properties.
    public let flags: Flags
    /// Its arguments, after the name.
    public let arguments: [Argument]
    /// Its replies, in words.
    public let reply: String
    /// Which of its words are keys.
    public let keys: Keys?
    /// The commands that its second word chooses from.
    public let subcommands: [Command]
    /// What it does; `nil` for a container that needs its second word.
    public let handler: Handler?

    /// A command.
    public init(
        _ name: String, _ summary: String, group: Group, since: String = "0.1.0",
        complexity: String = "O(1)", flags: Flags, arguments: [Argument] = [], reply: String,
        keys: Keys? = nil, handler: @escaping Handler
    ) {
        self.name = name
        self.summary = summary
        self.since = since
        self.group = group
        self.complexity = complexity
        self.flags = flags
        self.arguments = arguments
        self.reply = reply
        self.keys = keys
        self.handler = handler
        subcommands = []
    }

    /// A container: its second word chooses a subcommand, or the HELP that comes by itself.
    ///
    /// - Parameter handler: what it does without a second word; an error by default.
    public init(
        _ name: String, _ summary: String, group: Group, subcommands: [Command],
        handler: Handler? = nil
    ) {
        self.name = name
        self.summary = summary
        self.subcommands = subcommands + [.help(of: name, subcommands)]
        self.group = group
        since = "0.1.0"
        complexity = "Depends on the subcommand"
        flags = []
        arguments = []
        reply = ""
        keys = nil
        self.handler = handler
    }

    /// Words of a request, the name included: exactly so many, or at least so many when negative.
    public var arity: Int {
        guard subcommands.isEmpty else { return handler == nil ? -2 : -1 }
        let least = 1 + arguments.map(\.wordCountMin).reduce(0, +)
        return arguments.contains(where: \.isOpen) ? -least : least
    }

    /// How to write it, for people.
    public var syntax: String { ([name] + arguments.map(\.syntax)).joined(separator: " ") }
}

extension Command {
    /// The HELP of a container, from its subcommands.
    private static func help(of container: String, _ subcommands: [Command]) -> Command {
        let lines =
            ["\(container) <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"]
            + subcommands.flatMap { [$0.syntax, "    \($0.summary)"] }
            + ["HELP", "    Print this help."]
        return Command(
            "HELP", "Tells what there is under \(container).", group: subcommands[0].group,
            flags: [.fast], reply: "array of lines"
        ) { call in
            call.reply.array(lines.count)
            for line in lines { call.reply.bulk(text: line) }
        }
    }
}
