internal import RESP
internal import Settings

extension Command {
    static let command = Command(
        "COMMAND", "Tells about the commands.", group: .server,
        subcommands: [
            Command("COUNT", "Counts the commands.", group: .server, flags: [], reply: "integer") {
                call in
                call.reply.integer(call.state.pointee.commands.topLevel.count)
            },
            Command(
                "LIST", "Lists the names of the commands.", group: .server,
                complexity: "O(commands)",
                flags: [],
                arguments: [
                    .choice(
                        "filter", .pattern().after("PATTERN"), .string("category").after("ACLCAT"),
                        .string("module").after("MODULE")
                    ).after("FILTERBY").optional
                ], reply: "array of names"
            ) { (call) throws(CommandError) in
                var names = call.state.pointee.commands.fullNames
                if call.option("FILTERBY") {
                    guard call.option("PATTERN") else { throw .syntax }
                    let glob = Glob(try call.word().bytes, ignoringCase: true)
                    names = names.filter { glob.matches($0.utf8) }
                }
                try call.end()
                call.reply.array(names.count)
                for name in names { call.reply.bulk(text: name) }
            },
            Command(
                "INFO", "Tells arity, flags and keys of commands; of all when none is named.",
                group: .server, complexity: "O(commands)", flags: [],
                arguments: [.string("command-name").many.optional], reply: "array"
            ) { (call) throws(CommandError) in
                guard call.words.left > 0 else { return call.writeAllCommands() }
                call.reply.array(call.words.left)
                while call.words.left > 0 {
                    let position = call.state.pointee.commands.find(named: try call.word())
                    if position < 0 { call.reply.nullArray() } else { call.write(position) }
                }
            },
            Command(
                "DOCS", "Tells what commands do; all when none is named.", group: .server,
                complexity: "O(commands)", flags: [],
                arguments: [.string("command-name").many.optional], reply: "map: name, map"
            ) { (call) throws(CommandError) in
                var positions = call.state.pointee.commands.topLevel
                if call.words.left > 0 {
                    positions = []
                    while call.words.left > 0 {
                        let position = call.state.pointee.commands.find(named: try call.word())
                        if position >= 0 { positions.append(position) }
                    }
                }
                call.reply.map(positions.count)
                for position in positions {
                    call.reply.bulk(text: call.state.pointee.commands.fullNames[position])
                    call.writeDocs(position)
                }
            },
            Command(
                "GETKEYS", "Tells which words of a request are keys.", group: .server, flags: [],
                arguments: [.string("command"), .string("arg").many.optional],
                reply: "array of keys"
            ) { (call) throws(CommandError) in try call.writeKeys() },
        ]
    ) { call in call.writeAllCommands() }
}

extension CommandTable {
    /// The position of `get`, `config|get` or `gcs.batch|end`; -1 when there is none.
    func find(named word: Word) -> Int {
        fullNames.firstIndex(of: word.text.lowercased()) ?? -1
    }
}

extension Call {
    private var table: [String] { state.pointee.commands.fullNames }

    /// COMMAND without a subcommand.
    func writeAllCommands() {
        let positions = state.pointee.commands.topLevel
        reply.array(positions.count)
        for position in positions { write(position) }
    }

    fileprivate func write(_ position: Int) {
        let command = state.pointee.commands.commands[position]
        let isSubcommand = table[position].contains("|")
        reply.array(10)
        reply.bulk(text: table[position])
        let arity = command.arity
        reply.integer(isSubcommand ? (arity > 0 ? arity + 1 : arity - 1) : arity)
        reply.set(command.flags.words.count)
        for word in command.flags.words { reply.status(word) }
        let keys = command.keys.flatMap { $0.first > 0 ? $0 : nil }
        reply.integer(keys?.first ?? 0)
        reply.integer(keys?.last ?? 0)
        reply.integer(keys?.step ?? 0)
        for _ in 0..<3 { reply.array(0) }
        reply.array(command.subcommands.count)
        for offset in command.subcommands.indices { write(position + 1 + offset) }
    }

    fileprivate func writeDocs(_ position: Int) {
        let command = state.pointee.commands.commands[position]
        let extra = (command.arguments.isEmpty ? 0 : 1) + (command.subcommands.isEmpty ? 0 : 1)
        reply.map(4 + extra)
        for (name, text) in [
            ("summary", command.summary), ("since", command.since),
            ("group", command.group.rawValue.lowercased()), ("complexity", command.complexity),
        ] {
            reply.bulk(text: name)
            reply.bulk(text: text)
        }
        if !command.arguments.isEmpty {
            reply.bulk("arguments")
            reply.array(command.arguments.count)
            for argument in command.arguments { write(argument) }
        }
        guard !command.subcommands.isEmpty else { return }
        reply.bulk("subcommands")
        reply.map(command.subcommands.count)
        for offset in command.subcommands.indices {
            reply.bulk(text: table[position + 1 + offset])
            writeDocs(position + 1 + offset)
        }
    }

    private func write(_ argument: Argument) {
        var flags: [StaticString] = []
        if argument.isOptional { flags.append("optional") }
        if argument.isMultiple { flags.append("multiple") }
        let count =
            2 + (argument.token == nil ? 0 : 1) + (flags.isEmpty ? 0 : 1)
            + (argument.parts.isEmpty ? 0 : 1)
        reply.map(count)
        reply.bulk("name")
        reply.bulk(text: argument.name)
        reply.bulk("type")
        reply.bulk(text: argument.kind.rawValue)
        if let token = argument.token {
            reply.bulk("token")
            reply.bulk(text: token)
        }
        if !flags.isEmpty {
            reply.bulk("flags")
            reply.set(flags.count)
            for flag in flags { reply.status(flag) }
        }
        if !argument.parts.isEmpty {
            reply.bulk("arguments")
            reply.array(argument.parts.count)
            for part in argument.parts { write(part) }
        }
    }

    fileprivate mutating func writeKeys() throws(CommandError) {
        let start = words.position
        var position = state.pointee.commands.find(try word())
        if position >= 0, state.pointee.commands.isContainer(position), words.left > 0 {
            position = state.pointee.commands.find(words[start + 1], parent: position)
        }
        guard position >= 0 else { throw .text("ERR Invalid command specified") }
        let count = words.count - start
        guard state.pointee.commands.accepts(position, wordCount: count) else {
            throw .text("ERR Invalid number of arguments specified for command")
        }
        guard let keys = state.pointee.commands.commands[position].keys else {
            throw .text("ERR The command has no key arguments")
        }
        var positions: [Int] = []
        if keys.step < 0 {
            let streams =
                (start..<words.count).first { words[$0].matches("STREAMS") } ?? words.count
            let left = words.count - streams - 1
            positions = left > 0 ? Array(streams + 1..<streams + 1 + left / 2) : []
        } else {
            let last = keys.last < 0 ? words.count + keys.last : start + keys.last
            positions = Array(stride(from: start + keys.first, through: last, by: keys.step))
        }
        reply.array(positions.count)
        for position in positions { reply.bulk(words[position]) }
    }
}
