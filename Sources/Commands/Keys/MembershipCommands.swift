internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    static let sadd = Command(
        "SADD", "Makes a batch the owner of tasks and objects.",
        group: .sets, complexity: "O(members)", flags: [.write],
        arguments: [.key(), .string("member").many],
        reply: "integer: records that changed their owner", keys: .one
    ) { (call) throws(CommandError) in
        let (batch, members) = try call.membership()
        call.reply.integer(
            try call.attempt { () throws(StoreError) in try call.store.adopt(members, into: batch) }
        )
    }

    static let srem = Command(
        "SREM", "Keeps objects of a batch, as GCS.BATCH KEEP does.",
        group: .sets, complexity: "O(members)", flags: [.write],
        arguments: [.key(), .string("member").many], reply: "integer: objects newly kept",
        keys: .one
    ) { (call) throws(CommandError) in
        let (batch, members) = try call.membership()
        guard members.allSatisfy({ $0.kind == .object }) else {
            throw .text("ERR only objects can be kept: a task goes with its batch")
        }
        // As Redis answers for a key that is not there.
        guard call.store.isAlive(batch) else { return call.reply.integer(0) }
        let ids = members.map(\.id)
        call.reply.integer(
            try call.attempt { () throws(StoreError) in try call.store.keep(ids, in: batch) })
    }
}

extension Call {
    /// Reads a batch's key and members.
    fileprivate mutating func membership() throws(CommandError) -> (
        BatchID, [(id: RecordID, kind: RecordKind)]
    ) {
        let key = Key(try word())
        guard case .batch(let batch) = key else {
            throw state.pointee.exists(key)
                ? .wrongType : .text("ERR only GC:<batch> keys have members that can be changed")
        }
        var members: [(id: RecordID, kind: RecordKind)] = []
        while words.left > 0 {
            guard case .record(let id, let kind) = Key(try word()), kind != .actor else {
                throw .text("ERR invalid member: expected TASK:<hex> or OBJECT:<hex>")
            }
            members.append((id, kind))
        }
        return (batch, members)
    }
}
