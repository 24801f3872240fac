internal import ControlStore
internal import RESP

extension Command {
    static let batchKeep = Command(
        "KEEP", "Marks objects to pass to the batch's parent when it ends.",
        group: .batches, complexity: "O(objects)", flags: [.write, .fast],
        arguments: [.integer("batch"), .string("object").many],
        reply: "integer: objects newly kept"
    ) { (call) throws(CommandError) in
        let batch = try call.batch()
        let ids = try call.ids()
        call.reply.integer(
            try call.attempt { () throws(StoreError) in try call.store.keep(ids, in: batch) })
    }

    static let batchTransfer = Command(
        "TRANSFER", "Gives objects to another batch now.",
        group: .batches, complexity: "O(objects)", flags: [.write, .fast],
        arguments: [.integer("to-batch"), .string("object").many],
        reply: "integer: objects that changed their owner"
    ) { (call) throws(CommandError) in
        let batch = try call.batch()
        let ids = try call.ids()
        call.reply.integer(
            try call.attempt { () throws(StoreError) in try call.store.transfer(ids, to: batch) })
    }
}
