internal import ControlStore
internal import Identifiers
internal import RESP
internal import Settings

extension Command {
    static let scard = Command(
        "SCARD", "Counts the records of a batch.",
        group: .sets, flags: [.readOnly, .fast], arguments: [.key()], reply: "integer", keys: .one
    ) { (call) throws(CommandError) in
        let batch = try call.batchKey()
        call.reply.integer(batch.flatMap { call.store.memberCount($0) } ?? 0)
    }

    static let sismember = Command(
        "SISMEMBER", "Tells whether a record belongs to a batch and is not kept.",
        group: .sets, flags: [.readOnly, .fast], arguments: [.key(), .string("member")],
        reply: "integer: 1 or 0", keys: .one
    ) { (call) throws(CommandError) in
        let batch = try call.batchKey()
        let member = Key(try call.word())
        guard let batch, case .record(let id, let kind) = member, kind != .actor else {
            return call.reply.integer(0)
        }
        call.reply.integer(call.store.isMember(id, kind, of: batch) ? 1 : 0)
    }

    static let smembers = Command(
        "SMEMBERS", "Lists the records of a batch; a large one in slices between other commands.",
        group: .sets, complexity: "O(records)", flags: [.readOnly], arguments: [.key()],
        reply: "set of keys", keys: .one
    ) { (call) throws(CommandError) in
        guard let batch = try call.batchKey(), call.store.isAlive(batch) else {
            return call.reply.set(0)
        }
        call.wait(for: .members(batch))
    }

    static let sscan = Command(
        "SSCAN", "Lists the records of a batch, a page at a time.",
        group: .sets, complexity: "O(count)", flags: [.readOnly],
        arguments: [
            .key(), .integer("cursor"), .pattern().after("MATCH").optional,
            .integer("count").after("COUNT").optional,
        ],
        reply: "array: the next cursor (0: the end), array of keys", keys: .one
    ) { (call) throws(CommandError) in
        let batch = try call.batchKey()
        let cursor = try call.cursor()
        let options = try call.scanOptions(takesType: false)
        var keys: [[UInt8]] = []
        var next: UInt64 = 0
        if let batch, cursor >= ServerState.diskCursor {
            return call.pageOfDisk(batch, cursor, count: options.count, glob: options.glob)
        }
        if let batch {
            next =
                call.store.scanMembers(of: batch, from: cursor, budget: options.count) { id, kind in
                    let name = ScannedKey.record(id, kind).name
                    if options.glob?.matches(name) ?? true { keys.append(name) }
                } ?? 0
            if next == 0, call.store.hasDiskPart(batch) { next = ServerState.diskCursor }
        }
        call.writePage(next, keys)
    }
}

extension Call {
    /// Reads the key of a batch; `nil` for a key that does not exist.
    fileprivate mutating func batchKey() throws(CommandError) -> BatchID? {
        switch Key(try word()) {
        case .batch(let id): return id
        case let key:
            guard state.pointee.exists(key) else { return nil }
            throw .wrongType
        }
    }

    /// Writes a page of a scan.
    func writePage(_ cursor: UInt64, _ keys: [[UInt8]]) {
        reply.page(cursor, keys)
    }
}
