internal import ControlStore
internal import Identifiers
internal import RESP
internal import Settings

extension Command {
    static let exists = Command(
        "EXISTS", "Counts which of the keys exist.",
        group: .keys, complexity: "O(keys)", flags: [.readOnly, .fast], arguments: [.key().many],
        reply: "integer", keys: .all
    ) { (call) throws(CommandError) in
        var count = 0
        while call.words.left > 0 {
            if call.state.pointee.exists(Key(try call.word())) { count += 1 }
        }
        call.reply.integer(count)
    }

    static let type = Command(
        "TYPE", "Tells a key's type.",
        group: .keys, flags: [.readOnly, .fast], arguments: [.key()],
        reply: "status: hash, set, stream or none", keys: .one
    ) { (call) throws(CommandError) in
        call.reply.status(call.state.pointee.type(of: Key(try call.word())))
    }

    static let del = delete("DEL")
    static let unlink = delete("UNLINK")

    private static func delete(_ name: String) -> Command {
        Command(
            name, "Frees objects, forgets tasks and actors, and collects batches, by their keys.",
            group: .keys, complexity: "O(keys)", flags: [.write], arguments: [.key().many],
            reply: "integer: keys that existed", keys: .all
        ) { (call) throws(CommandError) in
            let keys = try call.deletableKeys()
            var count = 0
            var objects: [RecordID] = []
            var last: Job?
            for key in keys {
                if case .record(let id, .object) = key {
                    objects.append(id)
                } else if try call.state.pointee.delete(key, &last) {
                    count += 1
                }
            }
            let (freed, rest) = call.store.free(Freeing(objects))
            count += freed
            // Jobs are done in their order: after the last, all are.
            if let rest {
                call.wait(for: .job(rest, plus: count))
            } else if let last {
                call.wait(for: .done(last, count))
            } else {
                call.reply.integer(count)
            }
        }
    }

    static let scan = Command(
        "SCAN", "Lists keys, a page at a time.",
        group: .keys, complexity: "O(count)", flags: [.readOnly],
        arguments: [
            .integer("cursor"), .pattern().after("MATCH").optional,
            .integer("count").after("COUNT").optional, .string("type").after("TYPE").optional,
        ],
        reply: "array: the next cursor (0: the end), array of keys"
    ) { (call) throws(CommandError) in
        let cursor = try call.cursor()
        let options = try call.scanOptions(takesType: true)
        var keys: [[UInt8]] = []
        let filter = ScanFilter(type: options.type)
        if cursor >= ServerState.diskCursor {
            return call.pageOfDisks(cursor, count: options.count, glob: options.glob)
        }
        var next = call.store.scan(from: cursor, budget: options.count, filter: filter) { key in
            let name = key.name
            if options.glob?.matches(name) ?? true { keys.append(name) }
        }
        if next == 0, filter.takesRecords, call.store.nextDiskPart(from: 0) != nil {
            next = ServerState.diskCursor
        }
        call.writePage(next, keys)
    }

    static let keys = Command(
        "KEYS", "Lists the keys that match, in slices between other commands.",
        group: .keys, complexity: "O(keys)", flags: [.readOnly], arguments: [.pattern()],
        reply: "array of keys"
    ) { (call) throws(CommandError) in
        call.wait(for: .keys(Glob(try call.word().bytes)))
    }

    static let randomkey = Command(
        "RANDOMKEY", "Picks a key at random, though not evenly.",
        group: .keys, flags: [.readOnly], reply: "string"
    ) { call in
        var random = call.state.pointee.random
        call.reply.bulk(call.store.randomKey(using: &random).name)
        call.state.pointee.random = random
    }

    static let memory = Command(
        "MEMORY", "Tells what memory is used for.", group: .keys,
        subcommands: [
            Command(
                "USAGE", "Tells the bytes that a key's record takes.",
                group: .keys, flags: [.readOnly, .fast],
                arguments: [.key(), .integer("count").after("SAMPLES").optional],
                reply: "integer, or nil when there is no such key", keys: .afterSubcommand
            ) { (call) throws(CommandError) in
                let key = Key(try call.word())
                if call.option("SAMPLES") { _ = try call.integer() }
                try call.end()
                guard let count = try call.state.pointee.byteCount(of: key) else {
                    return call.reply.null()
                }
                call.reply.integer(count)
            }
        ])

    static let object = Command(
        "OBJECT", "Tells how a key is kept.", group: .keys,
        subcommands: [
            Command(
                "ENCODING", "Tells how a key is kept: record, region, hashtable or stream.",
                group: .keys, flags: [.readOnly, .fast], arguments: [.key()],
                reply: "string, or nil when there is no such key", keys: .afterSubcommand
            ) { (call) throws(CommandError) in
                let key = Key(try call.word())
                guard call.state.pointee.exists(key) else { return call.reply.null() }
                switch key {
                case .record: call.reply.bulk("record")
                case .batch: call.reply.bulk("region")
                case .node: call.reply.bulk("hashtable")
                case .log, .other: call.reply.bulk("stream")
                }
            }
        ])
}

extension ScanFilter {
    init(type: String?) {
        self.init()
        guard let type else { return }
        takesBatches = type == "set"
        takesRecords = type == "hash"
        takesNodes = type == "hash"
        takesLog = type == "stream"
    }
}

extension Call {
    /// Reads the keys to the end of the request; refuses all when one cannot be deleted.
    fileprivate mutating func deletableKeys() throws(CommandError) -> [Key] {
        var keys: [Key] = []
        while words.left > 0 {
            let key = Key(try word())
            if key == .batch(.root) { throw .store(.rootBatch) }
            if key == .log { throw .text("ERR gc:log is trimmed by acknowledgements, not deleted") }
            keys.append(key)
        }
        return keys
    }
}

extension ServerState {
    /// Deletes a key that is no object; whether it existed.
    ///
    /// - Parameter last: receives the work that goes on, if there is any.
    fileprivate mutating func delete(
        _ key: Key, _ last: inout Job?
    ) throws(CommandError) -> Bool {
        switch key {
        case .record(let id, .task): return store.removeTask(id)
        case .record(let id, .actor): return store.removeActor(id)
        case .batch(let id):
            do throws(StoreError) {
                let (isDeleted, rest) = try store.deleteBatch(id)
                last = rest ?? last
                return isDeleted
            } catch {
                throw .store(error)
            }
        case .node(let name): return name.withUnsafeBufferPointer { store.removeNode($0) }
        case .record(_, .object), .record(_, .need), .log, .other: return false
        }
    }

    fileprivate mutating func byteCount(of key: Key) throws(CommandError) -> Int? {
        switch key {
        case .record(let id, let kind): return store.byteCount(id, kind)
        case .batch(let id):
            guard store.isAlive(id) else { return nil }
            do throws(StoreError) { return try store.batchInfo(id).byteCount } catch {
                throw .store(error)
            }
        case .node, .log:
            guard exists(key) else { return nil }
            return key == .log ? store.log.byteCount : 256
        case .other: return nil
        }
    }
}
