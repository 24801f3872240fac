internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    static let batchDepend = Command(
        "DEPEND",
        "Makes a batch depend on another: while it is active, END of the other is deferred.",
        group: .batches, complexity: "O(depth of the batch)", flags: [.write, .fast],
        arguments: [.integer("batch"), .integer("on-batch")],
        reply: "integer: 1 for a new dependency, 0 for a known one"
    ) { (call) throws(CommandError) in
        let batch = try call.batch()
        let other = try call.batch()
        let isNew = try call.attempt { () throws(StoreError) in
            try call.store.addDependency(of: batch, on: other)
        }
        call.reply.integer(isNew ? 1 : 0)
    }
}
