internal import RESP

extension Command {
    static let ping = Command(
        "PING", "Answers PONG, or what it is given.", group: .connection,
        flags: [.fast, .whileSubscribed], arguments: [.string("message").optional],
        reply: "status: PONG, or the message"
    ) { (call) throws(CommandError) in
        let message = call.words.next()
        guard call.words.left == 0 else { throw .wrongArity }
        guard call.session.pointee.isInSubscribeMode else {
            if let message { call.reply.bulk(message) } else { call.reply.raw("+PONG\r\n") }
            return
        }
        call.reply.array(2)
        call.reply.bulk("pong")
        if let message { call.reply.bulk(message) } else { call.reply.raw("$0\r\n\r\n") }
    }

    static let echo = Command(
        "ECHO", "Answers what it is given.", group: .connection, flags: [.fast],
        arguments: [.string("message")], reply: "string"
    ) { (call) throws(CommandError) in call.reply.bulk(try call.word()) }

    static let quit = Command(
        "QUIT", "Ends the connection.", group: .connection, flags: [.fast, .whileSubscribed],
        arguments: [.string("anything").many.optional], reply: "status: OK"
    ) { call in
        call.reply.ok()
        call.state.pointee.end(call.session, .closing)
    }

    static let reset = Command(
        "RESET", "Puts the connection back to how it began.", group: .connection,
        flags: [.fast, .whileSubscribed], reply: "status: RESET"
    ) { call in
        for channel in call.session.pointee.channels {
            call.state.pointee.unsubscribe(call.session, channel, isPattern: false)
        }
        for pattern in call.session.pointee.patterns {
            call.state.pointee.unsubscribe(call.session, pattern, isPattern: true)
        }
        call.session.pointee.version = 2
        call.session.pointee.replyMode = .on
        call.session.pointee.name = []
        call.reply.status("RESET")
    }

    static let select = Command(
        "SELECT", "Chooses the database; there is one, 0.", group: .connection, flags: [.fast],
        arguments: [.integer("index")], reply: "status: OK"
    ) { (call) throws(CommandError) in
        guard try call.integer() == 0 else { throw .text("ERR DB index is out of range") }
        call.reply.ok()
    }

    static let hello = Command(
        "HELLO", "Chooses the protocol version, and tells about the server.", group: .connection,
        flags: [.fast],
        arguments: [
            .block(
                "options", .integer("protover"),
                .block("credentials", .string("username"), .string("password")).after("AUTH")
                    .optional,
                .string("clientname").after("SETNAME").optional
            ).optional
        ],
        reply: "map: server, version, proto, id, mode, role, modules"
    ) { (call) throws(CommandError) in
        var version = call.session.pointee.version
        var name: [UInt8]?
        if call.words.left > 0 {
            guard let wanted = try call.word().integer else {
                throw .text("ERR Protocol version is not an integer or out of range")
            }
            guard wanted == 2 || wanted == 3 else {
                throw .text("NOPROTO unsupported protocol version")
            }
            version = UInt8(wanted)
        }
        while call.words.left > 0 {
            if call.option("AUTH") {
                // No password is ever asked for: any is as good as another, as in Redis.
                _ = try call.word()
                _ = try call.word()
            } else if call.option("SETNAME") {
                name = try call.connectionName()
            } else {
                throw .text("ERR Syntax error in HELLO option '\(try call.word().text)'")
            }
        }
        if let name { call.session.pointee.name = name }
        call.session.pointee.version = version
        call.reply.version = version
        call.writeHello(version)
    }
}

extension Call {
    /// Reads a name without spaces and control characters.
    mutating func connectionName() throws(CommandError) -> [UInt8] {
        let name = try word().bytes
        guard name.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else {
            throw .text(
                "ERR Client names cannot contain spaces, newlines or special characters.")
        }
        return name
    }

    fileprivate func writeHello(_ version: UInt8) {
        reply.map(7)
        reply.bulk("server")
        reply.bulk("swift-gcs")
        reply.bulk("version")
        reply.bulk(text: Version.number)
        field("proto", Int64(version))
        field("id", Int64(session.pointee.id))
        reply.bulk("mode")
        reply.bulk("standalone")
        reply.bulk("role")
        reply.bulk("master")
        reply.bulk("modules")
        reply.array(0)
    }
}

/// What version this is.
public enum Version {
    /// Of the programs.
    public static let number = "0.1.0"
    /// Of Redis, whose replies ours are like; for clients that look before they use a feature.
    public static let redis = "7.0.15"
}
