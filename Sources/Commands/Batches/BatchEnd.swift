internal import ControlStore
internal import RESP

extension Command {
    static let batchEnd = Command(
        "END", "Ends a batch and its children; their records go when no active batch needs them.",
        group: .batches, complexity: "O(batches ended + objects kept or adopted)",
        flags: [.write, .fast],
        arguments: [.integer("batch"), .flag("NOGC").optional],
        reply: "status: COLLECTED; DEFERRED while a running batch depends on it; ENDED when the "
            + "records stay (NOGC, NOCLEANUP)"
    ) { (call) throws(CommandError) in
        let batch = try call.batch()
        let isNoGC = call.option("NOGC")
        try call.end()
        let result = try call.attempt { () throws(StoreError) in
            try call.store.endBatch(batch, isNoGC: isNoGC)
        }
        switch result {
        case .collected: call.reply.status("COLLECTED")
        case .deferred: call.reply.status("DEFERRED")
        case .ended: call.reply.status("ENDED")
        }
    }

    static let batchDestroy = Command(
        "DESTROY", "Releases a batch and its children at once, kept objects too.",
        group: .batches,
        complexity: "O(batches ended + objects kept or adopted), in slices between other commands",
        flags: [.write, .fast],
        arguments: [.integer("batch")],
        reply: "integer: records released"
    ) { (call) throws(CommandError) in
        let batch = try call.batch()
        let (count, rest) = try call.attempt { () throws(StoreError) in
            try call.store.destroyBatch(batch)
        }
        if let rest { call.wait(for: .job(rest, plus: 0)) } else { call.reply.integer(count) }
    }
}
