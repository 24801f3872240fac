internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    static let xlen = Command(
        "XLEN", "Counts the entries of the log.",
        group: .log, flags: [.readOnly, .fast], arguments: [.key()], reply: "integer", keys: .one
    ) { (call) throws(CommandError) in
        let isThere = try call.isLog(try call.word())
        call.reply.integer(isThere ? call.store.log.count : 0)
    }

    static let xrange = range(isReverse: false)
    static let xrevrange = range(isReverse: true)

    private static func range(isReverse: Bool) -> Command {
        Command(
            isReverse ? "XREVRANGE" : "XRANGE",
            "Reads entries of the log, \(isReverse ? "newest" : "oldest") first.",
            group: .log, complexity: "O(entries read)", flags: [.readOnly],
            arguments: [
                .key(), .string(isReverse ? "end" : "start"), .string(isReverse ? "start" : "end"),
                .integer("count").after("COUNT").optional,
            ],
            reply: "array: id and fields of each entry", keys: .one
        ) { (call) throws(CommandError) in
            let isThere = try call.isLog(try call.word())
            let first = try call.bound(isLower: !isReverse)
            let second = try call.bound(isLower: isReverse)
            var count = Int.max
            if call.option("COUNT") { count = max(Int(clamping: try call.integer()), 0) }
            try call.end()
            guard isThere, count > 0 else { return call.reply.array(0) }
            let (from, to) = isReverse ? (second, first) : (first, second)
            call.wait(for: .range(from: from, to: to, isReverse: isReverse, left: count))
        }
    }

    static let xread = Command(
        "XREAD", "Reads entries of the log after an id, and waits for one if asked to.",
        group: .log, complexity: "O(entries read)", flags: [.readOnly, .blocking],
        arguments: [
            .integer("count").after("COUNT").optional,
            .integer("milliseconds").after("BLOCK").optional,
            .flag("STREAMS"), .key().many, .string("id").many,
        ],
        reply: "map: key, array of entries (at most 10,000 at once); nil when there is none",
        keys: .afterStreams
    ) { (call) throws(CommandError) in
        var count = 10_000
        var block: Int64?
        while !call.option("STREAMS") {
            if call.option("COUNT") {
                count = min(max(Int(clamping: try call.integer()), 1), 10_000)
            } else if call.option("BLOCK") {
                let milliseconds = try call.integer()
                guard milliseconds >= 0 else { throw .text("ERR timeout is negative") }
                block = milliseconds
            } else {
                throw call.words.left == 0 ? .wrongArity : .syntax
            }
        }
        guard let after = try call.streamPosition() else {
            // None of the streams named can ever have an entry: there is nothing to wait for.
            return call.reply.nullArray()
        }
        if call.state.pointee.writeRead(after: after, count: count) { return }
        guard let block else { return call.reply.nullArray() }
        let deadline = block == 0 ? 0 : call.state.pointee.now + block
        call.wait(for: .read(after: after, count: count, deadline: deadline))
    }

    static let xinfo = Command(
        "XINFO", "Tells about the log.", group: .log,
        subcommands: [
            Command(
                "STREAM", "Tells about the log as a stream.",
                group: .log, flags: [.readOnly, .fast],
                arguments: [.key(), .flag("FULL").optional],
                reply: "map: length, radix-tree-keys, radix-tree-nodes, last-generated-id, "
                    + "max-deleted-entry-id, entries-added, recorded-first-entry-id, groups, "
                    + "first-entry, last-entry",
                keys: .afterSubcommand
            ) { (call) throws(CommandError) in
                guard try call.isLog(try call.word()) else { throw .noKey }
                _ = call.option("FULL")
                try call.end()
                call.writeStreamInfo()
            }
        ])
}

extension Call {
    /// Whether a key is the log; a key of another type is refused.
    fileprivate func isLog(_ word: Word) throws(CommandError) -> Bool {
        switch Key(word) {
        case .log: return true
        case .other: return false
        case let key:
            guard state.pointee.exists(key) else { return false }
            throw .wrongType
        }
    }

    /// Reads a bound of XRANGE: `-`, `+`, an id, or `(` and an id for an open one.
    fileprivate mutating func bound(isLower: Bool) throws(CommandError) -> LogID {
        var word = try word()
        if word.matches("-") { return .zero }
        if word.matches("+") { return .max }
        let isOpen = word.count > 0 && word.start[0] == UInt8(ascii: "(")
        if isOpen { word = Word(start: word.start + 1, count: word.count - 1) }
        guard let id = LogID(word.text, sequence: isLower ? 0 : .max) else { throw .notAStreamID }
        guard isOpen else { return id }
        if isLower { return id.next }
        guard id > .zero else { throw .text("ERR invalid end ID for the interval") }
        return id.sequence > 0
            ? LogID(milliseconds: id.milliseconds, sequence: id.sequence - 1)
            : LogID(milliseconds: id.milliseconds &- 1, sequence: .max)
    }

    /// Reads the keys and ids after STREAMS; the log's id, or `nil` when the log is not among them.
    fileprivate mutating func streamPosition() throws(CommandError) -> LogID? {
        guard words.left > 0, words.left % 2 == 0 else {
            throw .text(
                "ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' must be "
                    + "specified.")
        }
        let count = words.left / 2
        var found: LogID?
        for position in 0..<count {
            let isTheLog = try isLog(words[words.position + position])
            let word = words[words.position + count + position]
            let id = word.matches("$") ? store.log.lastID : LogID(word.text, sequence: 0)
            guard let id else { throw .notAStreamID }
            if isTheLog { found = id }
        }
        words.position += 2 * count
        return found
    }

    fileprivate func writeStreamInfo() {
        reply.map(10)
        field("length", Int64(store.log.count))
        field("radix-tree-keys", 1)
        field("radix-tree-nodes", 2)
        reply.bulk("last-generated-id")
        reply.bulk(text: store.log.lastID.description)
        reply.bulk("max-deleted-entry-id")
        reply.bulk(text: store.log.lastTrimmedID.description)
        field("entries-added", Int64(store.log.addedCount))
        reply.bulk("recorded-first-entry-id")
        reply.bulk(text: (store.log.first?.id ?? .zero).description)
        field("groups", 0)
        for (name, entry) in [("first-entry", store.log.first), ("last-entry", store.log.last)] {
            reply.bulk(text: name)
            if let entry { reply.entry(entry) } else { reply.null() }
        }
    }
}

extension ReplyWriter {
    /// An entry of the log: its id and its fields.
    mutating func entry(_ entry: DeletionLog.Entry) {
        array(2)
        bulk(text: entry.id.description)
        raw(entry.fields)
    }
}
