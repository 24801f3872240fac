internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    static let batchInfo = Command(
        "INFO", "Tells what is known of a batch.",
        group: .batches, flags: [.readOnly, .fast], arguments: [.integer("batch")],
        reply:
            "map: id, parent, name, status (active, done, deferred), created-ms, ended-ms, timeout-ms "
            + "(-1: none), tasks, objects, kept, bytes, depends-on, dependents"
    ) { (call) throws(CommandError) in
        let id = try call.batch()
        let info = try call.attempt { () throws(StoreError) in try call.store.batchInfo(id) }
        call.reply.map(13)
        call.reply.bulk("id")
        call.reply.integer(info.id.rawValue)
        call.reply.bulk("parent")
        call.reply.integer(info.parent.rawValue)
        call.reply.bulk("name")
        call.reply.bulk(info.name)
        call.reply.bulk("status")
        call.reply.bulk(info.status.word)
        call.field("created-ms", info.createdAt)
        call.field("ended-ms", info.endedAt)
        call.field("timeout-ms", info.timeout)
        call.field("tasks", Int64(info.taskCount))
        call.field("objects", Int64(info.objectCount))
        call.field("kept", Int64(info.keptCount))
        call.field("bytes", Int64(info.byteCount))
        let links = try call.attempt { () throws(StoreError) in try call.store.dependencies(id) }
        for (name, batches) in [("depends-on", links.dependsOn), ("dependents", links.dependents)] {
            call.reply.bulk(text: name)
            call.reply.array(batches.count)
            for batch in batches { call.reply.integer(batch.rawValue) }
        }
    }

    static let batchList = Command(
        "LIST", "Lists batches, a page at a time.",
        group: .batches, complexity: "O(count)", flags: [.readOnly],
        arguments: [
            .words("status", ["ACTIVE", "DONE", "DEFERRED"]).after("STATUS").optional,
            .integer("cursor").after("CURSOR").optional, .integer("count").after("COUNT").optional,
        ],
        reply: "array: the next cursor (0: the end), array of batches"
    ) { (call) throws(CommandError) in
        var status: BatchStatus?
        var cursor: UInt64 = 0
        var count = 1000
        while call.words.left > 0 {
            if call.option("STATUS") {
                status = try call.status()
            } else if call.option("CURSOR") {
                cursor = try call.cursor()
            } else if call.option("COUNT") {
                count = try call.count()
            } else {
                throw .syntax
            }
        }
        var batches: [BatchID] = []
        let next = call.store.scanBatches(from: cursor, budget: min(count, 10_000), status: status)
        {
            batches.append($0)
        }
        call.reply.array(2)
        call.reply.bulk(text: String(next))
        call.reply.array(batches.count)
        for batch in batches { call.reply.integer(batch.rawValue) }
    }
}

extension BatchStatus {
    /// The word on the wire.
    var word: StaticString {
        switch self {
        case .active: "active"
        case .done: "done"
        case .deferred: "deferred"
        }
    }
}

extension Call {
    fileprivate mutating func status() throws(CommandError) -> BatchStatus {
        if option("ACTIVE") { return .active }
        if option("DONE") { return .done }
        if option("DEFERRED") { return .deferred }
        throw .text("ERR invalid status: expected active, done or deferred")
    }

    /// Writes a name and a number.
    func field(_ name: StaticString, _ value: Int64) {
        reply.bulk(name)
        reply.integer(value)
    }
}
