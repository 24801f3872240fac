internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    static let batchStart = Command(
        "START", "Starts a batch: what its tasks and objects will be released with.",
        group: .batches, flags: [.write, .fast],
        arguments: [
            .integer("batch").after("ID").optional, .integer("parent").after("PARENT").optional,
            .string("name").after("NAME").optional, .integer("seconds").after("TIMEOUT").optional,
            .flag("NOCLEANUP").optional,
        ],
        reply: "integer: the batch"
    ) { (call) throws(CommandError) in
        var new = NewBatch()
        while call.words.left > 0 {
            if call.option("ID") {
                new.id = try call.batch()
            } else if call.option("PARENT") {
                new.parent = try call.batch()
            } else if call.option("NAME") {
                new.name = try call.word().bytes
            } else if call.option("TIMEOUT") {
                new.timeout = try call.timeout()
            } else if call.option("NOCLEANUP") {
                new.isNoCleanup = true
            } else {
                throw .syntax
            }
        }
        let id = try call.attempt { () throws(StoreError) in try call.store.startBatch(new) }
        call.reply.integer(id.rawValue)
    }
}

extension Call {
    /// Reads a positive number of seconds; in milliseconds.
    fileprivate mutating func timeout() throws(CommandError) -> Int64 {
        let seconds = try integer()
        guard (1...1 << 40).contains(seconds) else {
            throw .outOfRange(
                "invalid timeout: expected 1 to 1099511627776 seconds, found \(seconds)")
        }
        return seconds * 1000
    }
}
