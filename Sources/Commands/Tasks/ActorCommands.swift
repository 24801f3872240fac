internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    static let actorCheckpoint = Command(
        "CHECKPOINT", "Tells that later tasks of an actor no longer need what led to a task.",
        group: .tasks, complexity: "O(batches on the actor)", flags: [.write],
        arguments: [.string("actor"), .string("task")], reply: "status: OK"
    ) { (call) throws(CommandError) in
        let actor = try call.id()
        let task = try call.id()
        try call.attempt { () throws(StoreError) in try call.store.checkpoint(actor, at: task) }
        call.reply.ok()
    }

    static let taskCancel = Command(
        "CANCEL", "Asks those who run a task to end it: a message on channel TASK:<hex>.",
        group: .tasks, complexity: "O(subscribers)", flags: [.pubSub, .fast],
        arguments: [.string("task")], reply: "integer: receivers"
    ) { (call) throws(CommandError) in
        let task = try call.id()
        guard call.store.exists(task, .task) else { throw .store(.noTask(task)) }
        let message = Array(#"{"task":"\#(task)","request":"cancel"}"#.utf8)
        call.reply.integer(call.state.pointee.publish(Array("TASK:\(task)".utf8), message))
    }
}
