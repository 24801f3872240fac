internal import RESP

extension Command {
    private static func client(
        _ name: String, _ summary: String, flags: Flags = [.fast], arguments: [Argument] = [],
        reply: String, handler: @escaping Handler
    ) -> Command {
        Command(
            name, summary, group: .connection, flags: flags, arguments: arguments, reply: reply,
            handler: handler)
    }

    static let client = Command(
        "CLIENT", "Tells about connections, and manages them.", group: .connection,
        subcommands: [
            client("ID", "Tells the connection's number.", reply: "integer") { call in
                call.reply.integer(Int64(call.session.pointee.id))
            },
            client("GETNAME", "Tells the connection's name.", reply: "string, or nil") { call in
                let name = call.session.pointee.name
                if name.isEmpty { call.reply.null() } else { call.reply.bulk(name) }
            },
            client(
                "SETNAME", "Names the connection.", arguments: [.string("name")],
                reply: "status: OK"
            ) { (call) throws(CommandError) in
                call.session.pointee.name = try call.connectionName()
                call.reply.ok()
            },
            client(
                "SETINFO", "Tells which library the client uses.",
                arguments: [
                    .choice(
                        "attribute", .string("name").after("LIB-NAME"),
                        .string("version").after("LIB-VER"))
                ], reply: "status: OK"
            ) { (call) throws(CommandError) in
                if call.option("LIB-NAME") {
                    call.session.pointee.libraryName = try call.connectionName()
                } else if call.option("LIB-VER") {
                    call.session.pointee.libraryVersion = try call.connectionName()
                } else {
                    throw .text("ERR Unrecognized option '\(try call.word().text)'")
                }
                try call.end()
                call.reply.ok()
            },
            client("INFO", "Tells about this connection.", reply: "text") { call in
                let line = call.state.pointee.describe(call.session)
                call.reply.verbatim(line + "\n")
            },
            client(
                "LIST", "Tells about connections, a line each.", flags: [.admin],
                arguments: [
                    .words("type", ["NORMAL", "MASTER", "REPLICA", "PUBSUB"]).after("TYPE")
                        .optional,
                    .integer("id").many.after("ID").optional,
                ], reply: "text"
            ) { (call) throws(CommandError) in
                let sessions = try call.listedSessions()
                let lines = sessions.map { call.state.pointee.describe($0) + "\n" }
                call.reply.verbatim(lines.joined())
            },
            client(
                "KILL", "Ends connections.", flags: [.admin],
                arguments: [
                    .string("ip:port").optional, .integer("id").after("ID").optional,
                    .string("ip:port").after("ADDR").optional,
                    .string("ip:port").after("LADDR").optional,
                    .words("type", ["NORMAL", "PUBSUB"]).after("TYPE").optional,
                    .string("username").after("USER").optional,
                    .words("skipme", ["YES", "NO"]).after("SKIPME").optional,
                ],
                reply: "status: OK for an address alone, else integer: connections ended"
            ) { (call) throws(CommandError) in try call.kill() },
            client(
                "REPLY", "Chooses which replies the connection gets.",
                arguments: [.words("mode", ["ON", "OFF", "SKIP"])],
                reply: "status: OK for ON, else nothing"
            ) { (call) throws(CommandError) in
                if call.option("ON") {
                    call.session.pointee.replyMode = .on
                    call.reply.ok()
                } else if call.option("OFF") {
                    call.session.pointee.replyMode = .off
                } else if call.option("SKIP") {
                    if call.session.pointee.replyMode == .on {
                        call.session.pointee.replyMode = .skipNext
                    }
                } else {
                    throw .syntax
                }
            },
            client(
                "NO-EVICT", "Accepted for Redis' clients: no connection is evicted for memory.",
                arguments: [.words("enabled", ["ON", "OFF"])], reply: "status: OK"
            ) { (call) throws(CommandError) in try call.acceptOnOff() },
            client(
                "NO-TOUCH", "Accepted for Redis' clients: reading changes no key's age.",
                arguments: [.words("enabled", ["ON", "OFF"])], reply: "status: OK"
            ) { (call) throws(CommandError) in try call.acceptOnOff() },
        ])
}

extension Call {
    fileprivate mutating func acceptOnOff() throws(CommandError) {
        guard option("ON") || option("OFF") else { throw .syntax }
        reply.ok()
    }

    fileprivate mutating func listedSessions() throws(CommandError) -> [SessionPointer] {
        if words.left == 0 { return state.pointee.sessions }
        if option("TYPE") {
            let isPubSub = option("PUBSUB")
            if !isPubSub, !option("NORMAL") {
                guard option("MASTER") || option("REPLICA") || option("SLAVE") else {
                    throw .text("ERR Unknown client type '\(try word().text)'")
                }
                return []
            }
            try end()
            return state.pointee.sessions.filter { ($0.pointee.subscriptionCount > 0) == isPubSub }
        }
        guard option("ID"), words.left > 0 else { throw .syntax }
        var ids: Set<UInt64> = []
        while words.left > 0 {
            let id = try integer()
            guard id > 0 else { throw .text("ERR Invalid client ID") }
            ids.insert(UInt64(id))
        }
        return state.pointee.sessions.filter { ids.contains($0.pointee.id) }
    }

    fileprivate mutating func kill() throws(CommandError) {
        guard words.left > 1 else {
            let address = try word().text
            guard let session = state.pointee.sessions.first(where: { $0.pointee.peer == address })
            else {
                throw .text("ERR No such client")
            }
            kill(session)
            return reply.ok()
        }
        var matching = state.pointee.sessions
        var sparesSelf = true
        while words.left > 0 {
            let isID = option("ID")
            if isID || option("ADDR") || option("LADDR") || option("TYPE") || option("USER") {
                let filter = words[words.position - 1]
                let value = try word().text
                if isID, UInt64(value) == nil {
                    throw .text("ERR client-id should be greater than 0")
                }
                matching = matching.filter { Self.matches($0.pointee, filter, value) }
            } else if option("SKIPME") {
                sparesSelf = option("YES")
                if !sparesSelf, !option("NO") { throw .syntax }
            } else {
                throw .syntax
            }
        }
        if sparesSelf { matching.removeAll { $0 == session } }
        for session in matching { kill(session) }
        reply.integer(matching.count)
    }

    private static func matches(_ session: Session, _ filter: Word, _ value: String) -> Bool {
        if filter.matches("ID") { return String(session.id) == value }
        if filter.matches("ADDR") { return session.peer == value }
        if filter.matches("LADDR") { return session.local == value }
        if filter.matches("USER") { return value == "default" }
        return (session.subscriptionCount > 0 ? "pubsub" : "normal") == value.lowercased()
    }

    /// Ends a connection: one's own only after the reply.
    private func kill(_ victim: SessionPointer) {
        state.pointee.end(victim, victim == session ? .closing : .dropped)
    }
}

extension ServerState {
    /// A connection in the words of CLIENT LIST.
    func describe(_ pointer: SessionPointer) -> String {
        let session = pointer.pointee
        let held = session.input?.pointee.count ?? 0
        let queued = session.queue.count
        let flags =
            (session.subscriptionCount > 0 ? "P" : "") + (session.pending == nil ? "" : "b")
            + (session.isLocal ? "U" : "")
        let command = session.lastCommand < 0 ? "NULL" : commands.fullNames[session.lastCommand]
        return [
            "id=\(session.id)", "addr=\(session.peer)", "laddr=\(session.local)",
            "name=\(String(decoding: session.name, as: UTF8.self))",
            "age=\((now - session.connectedAt) / 1000)",
            "idle=\((now - session.lastActiveAt) / 1000)",
            "flags=\(flags.isEmpty ? "N" : flags)", "db=0", "sub=\(session.channels.count)",
            "psub=\(session.patterns.count)", "ssub=0", "multi=-1", "qbuf=\(held)", "qbuf-free=0",
            "argv-mem=0", "multi-mem=0", "obl=0", "oll=\(queued > 0 ? 1 : 0)", "omem=\(queued)",
            "tot-mem=\(held + queued + MemoryLayout<Session>.size)", "events=r", "cmd=\(command)",
            "user=default", "redir=-1", "resp=\(session.version)",
            "lib-name=\(String(decoding: session.libraryName, as: UTF8.self))",
            "lib-ver=\(String(decoding: session.libraryVersion, as: UTF8.self))",
        ].joined(separator: " ")
    }
}
