internal import ControlStore
internal import RESP

extension Command {
    static let objectPin = Command(
        "PIN", "Makes objects stay, whatever ends, until they are unpinned.",
        group: .objects, complexity: "O(objects)", flags: [.write, .fast],
        arguments: [.string("object").many], reply: "integer: objects newly pinned"
    ) { (call) throws(CommandError) in
        let ids = try call.ids()
        call.reply.integer(try call.attempt { () throws(StoreError) in try call.store.pin(ids) })
    }

    static let objectUnpin = Command(
        "UNPIN", "Lifts the pins of objects; one whose batch has ended is freed.",
        group: .objects, complexity: "O(objects)", flags: [.write, .fast],
        arguments: [.string("object").many], reply: "integer: objects that were pinned"
    ) { (call) throws(CommandError) in call.reply.integer(call.store.unpin(try call.ids())) }
}
