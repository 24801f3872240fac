internal import RESP
internal import Settings

extension Command {
    static let subscribe = Command(
        "SUBSCRIBE", "Listens to channels.", group: .pubSub, complexity: "O(channels)",
        flags: [.pubSub, .whileSubscribed], arguments: [.string("channel").many],
        reply: "push for each channel: subscribe, channel, subscriptions"
    ) { (call) throws(CommandError) in
        while call.words.left > 0 { call.subscribe(try call.word().bytes, isPattern: false) }
    }

    static let psubscribe = Command(
        "PSUBSCRIBE", "Listens to the channels that match patterns.", group: .pubSub,
        complexity: "O(patterns)", flags: [.pubSub, .whileSubscribed],
        arguments: [.pattern().many],
        reply: "push for each pattern: psubscribe, pattern, subscriptions"
    ) { (call) throws(CommandError) in
        while call.words.left > 0 { call.subscribe(try call.word().bytes, isPattern: true) }
    }

    static let unsubscribe = Command(
        "UNSUBSCRIBE", "Stops listening to channels; to all when none is named.", group: .pubSub,
        complexity: "O(channels)", flags: [.pubSub, .whileSubscribed],
        arguments: [.string("channel").many.optional],
        reply: "push for each channel: unsubscribe, channel, subscriptions left"
    ) { (call) throws(CommandError) in
        try call.unsubscribe(isPattern: false)
    }

    static let punsubscribe = Command(
        "PUNSUBSCRIBE", "Stops listening to patterns; to all when none is named.", group: .pubSub,
        complexity: "O(patterns)", flags: [.pubSub, .whileSubscribed],
        arguments: [.pattern().many.optional],
        reply: "push for each pattern: punsubscribe, pattern, subscriptions left"
    ) { (call) throws(CommandError) in
        try call.unsubscribe(isPattern: true)
    }

    static let publish = Command(
        "PUBLISH", "Sends a message to the subscribers of a channel.", group: .pubSub,
        complexity: "O(subscribers + patterns)", flags: [.pubSub, .fast],
        arguments: [.string("channel"), .string("message")], reply: "integer: receivers"
    ) { (call) throws(CommandError) in
        let channel = try call.word().bytes
        let message = try call.word().bytes
        call.reply.integer(call.state.pointee.publish(channel, message))
    }

    static let pubsub = Command(
        "PUBSUB", "Tells about channels.", group: .pubSub,
        subcommands: [
            Command(
                "CHANNELS", "Lists the channels that have subscribers.", group: .pubSub,
                complexity: "O(channels)", flags: [.pubSub], arguments: [.pattern().optional],
                reply: "array of channels"
            ) { (call) throws(CommandError) in
                let glob = call.words.left > 0 ? Glob(try call.word().bytes) : nil
                try call.end()
                let names = call.state.pointee.channels.names(matching: glob)
                call.reply.array(names.count)
                for name in names { call.reply.bulk(name) }
            },
            Command(
                "NUMSUB", "Counts the subscribers of channels.", group: .pubSub,
                complexity: "O(channels)", flags: [.pubSub],
                arguments: [.string("channel").many.optional],
                reply: "array: each channel and its subscribers"
            ) { (call) throws(CommandError) in
                call.reply.map(call.words.left)
                while call.words.left > 0 {
                    let channel = try call.word().bytes
                    call.reply.bulk(channel)
                    call.reply.integer(call.state.pointee.channels.subscribers(of: channel).count)
                }
            },
            Command(
                "NUMPAT", "Counts the patterns that are listened to.", group: .pubSub,
                flags: [.pubSub], reply: "integer"
            ) { call in
                call.reply.integer(call.state.pointee.channels.patterns.count)
            },
        ])
}

extension Call {
    fileprivate func subscribe(_ name: [UInt8], isPattern: Bool) {
        if isPattern {
            if session.pointee.patterns.insert(name).inserted {
                state.pointee.channels.subscribe(session, toPattern: name)
                session.pointee.subscriptionCount += 1
            }
        } else if session.pointee.channels.insert(name).inserted {
            state.pointee.channels.subscribe(session, to: name)
            session.pointee.subscriptionCount += 1
        }
        confirm(isPattern ? "psubscribe" : "subscribe", name)
    }

    fileprivate mutating func unsubscribe(isPattern: Bool) throws(CommandError) {
        let word: StaticString = isPattern ? "punsubscribe" : "unsubscribe"
        var names = Array(isPattern ? session.pointee.patterns : session.pointee.channels)
        if words.left > 0 {
            names = []
            while words.left > 0 { names.append(try self.word().bytes) }
        }
        for name in names {
            state.pointee.unsubscribe(session, name, isPattern: isPattern)
            confirm(word, name)
        }
        if names.isEmpty { confirm(word, nil) }
    }

    private func confirm(_ word: StaticString, _ name: [UInt8]?) {
        reply.push(3)
        reply.bulk(word)
        if let name { reply.bulk(name) } else { reply.null() }
        reply.integer(Int(session.pointee.subscriptionCount))
    }
}

extension ServerState {
    mutating func unsubscribe(_ session: SessionPointer, _ name: [UInt8], isPattern: Bool) {
        if isPattern {
            guard session.pointee.patterns.remove(name) != nil else { return }
            channels.unsubscribe(session, fromPattern: name)
        } else {
            guard session.pointee.channels.remove(name) != nil else { return }
            channels.unsubscribe(session, from: name)
        }
        session.pointee.subscriptionCount -= 1
    }
}
