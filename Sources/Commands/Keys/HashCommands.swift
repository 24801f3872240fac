internal import RESP
internal import Settings

extension Command {
    private static func hash(
        _ name: String, _ summary: String, flags: Flags = [.readOnly, .fast],
        arguments: [Argument] = [], reply: String, handler: @escaping Handler
    ) -> Command {
        Command(
            name, summary, group: .hashes, complexity: "O(fields)", flags: flags,
            arguments: [.key()] + arguments, reply: reply, keys: .one, handler: handler)
    }

    static let hgetall = hash(
        "HGETALL", "Tells every field of a record or node.", reply: "map"
    ) { (call) throws(CommandError) in
        let fields = try call.fields() ?? []
        call.reply.map(fields.count)
        for (name, value) in fields {
            call.reply.bulk(name)
            call.reply.bulk(value)
        }
    }

    static let hget = hash(
        "HGET", "Tells one field of a record or node.", arguments: [.string("field")],
        reply: "string, or nil"
    ) { (call) throws(CommandError) in
        let fields = try call.fields() ?? []
        call.write(fields, try call.word())
    }

    static let hmget = hash(
        "HMGET", "Tells some fields of a record or node.", arguments: [.string("field").many],
        reply: "array of strings or nil"
    ) { (call) throws(CommandError) in
        let fields = try call.fields() ?? []
        call.reply.array(call.words.left)
        while call.words.left > 0 { call.write(fields, try call.word()) }
    }

    static let hkeys = hash(
        "HKEYS", "Tells the names of the fields.", reply: "array of strings"
    ) { (call) throws(CommandError) in
        let fields = try call.fields() ?? []
        call.reply.array(fields.count)
        for field in fields { call.reply.bulk(field.name) }
    }

    static let hvals = hash(
        "HVALS", "Tells the values of the fields.", reply: "array of strings"
    ) { (call) throws(CommandError) in
        let fields = try call.fields() ?? []
        call.reply.array(fields.count)
        for field in fields { call.reply.bulk(field.value) }
    }

    static let hlen = hash(
        "HLEN", "Counts the fields.", reply: "integer"
    ) { (call) throws(CommandError) in
        call.reply.integer(try call.fields()?.count ?? 0)
    }

    static let hexists = hash(
        "HEXISTS", "Tells whether there is such a field.", arguments: [.string("field")],
        reply: "integer: 1 or 0"
    ) { (call) throws(CommandError) in
        let fields = try call.fields() ?? []
        let name = try call.word().bytes
        call.reply.integer(fields.contains { $0.name == name } ? 1 : 0)
    }

    static let hscan = hash(
        "HSCAN", "Tells the fields, all at once.", flags: .readOnly,
        arguments: [
            .integer("cursor"), .pattern().after("MATCH").optional,
            .integer("count").after("COUNT").optional,
        ],
        reply: "array: 0, array of fields and values"
    ) { (call) throws(CommandError) in
        var fields = try call.fields() ?? []
        _ = try call.cursor()
        let options = try call.scanOptions(takesType: false)
        if let glob = options.glob { fields = fields.filter { glob.matches($0.name) } }
        call.reply.array(2)
        call.reply.bulk("0")
        call.reply.array(2 * fields.count)
        for (name, value) in fields {
            call.reply.bulk(name)
            call.reply.bulk(value)
        }
    }
}

extension Call {
    /// Reads a key; its fields, or `nil` when there is none.
    fileprivate mutating func fields() throws(CommandError) -> [(name: [UInt8], value: [UInt8])]? {
        try state.pointee.fields(of: Key(try word()))
    }

    fileprivate func write(_ fields: [(name: [UInt8], value: [UInt8])], _ word: Word) {
        let name = word.bytes
        guard let field = fields.first(where: { $0.name == name }) else { return reply.null() }
        reply.bulk(field.value)
    }

    /// Reads MATCH, COUNT and TYPE.
    mutating func scanOptions(
        takesType: Bool
    ) throws(CommandError) -> (glob: Glob?, count: Int, type: String?) {
        var glob: Glob?
        var count = 10
        var type: String?
        while words.left > 0 {
            if option("MATCH") {
                let pattern = try word().bytes
                glob = pattern == [UInt8(ascii: "*")] ? nil : Glob(pattern)
            } else if option("COUNT") {
                count = min(try self.count(), 10_000)
            } else if takesType, option("TYPE") {
                type = try word().text.lowercased()
            } else {
                throw .syntax
            }
        }
        return (glob, count, type)
    }
}
