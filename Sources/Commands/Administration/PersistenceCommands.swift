internal import ControlStore
internal import RESP

extension Command {
    static let bgrewriteaof = Command(
        "BGREWRITEAOF", "Begins the append-only file anew with what there is, in the background.",
        group: .server, complexity: "O(records), in slices", flags: [.admin], reply: "status"
    ) { (call) throws(CommandError) in
        try call.end()
        guard call.state.pointee.persistence.isOn else {
            throw .text("ERR appendonly is no: there is no append-only file to rewrite")
        }
        guard !call.state.pointee.persistence.rewrite.isUnderWay else {
            throw .text("ERR Background append only file rewriting already in progress")
        }
        call.state.pointee.persistence.rewrite.isWanted = true
        call.reply.status("Background append only file rewriting started")
    }

    static let bgsave = Command(
        "BGSAVE", "Writes a snapshot in the background.",
        group: .server, complexity: "O(records), in slices", flags: [.admin],
        arguments: [.flag("SCHEDULE").optional], reply: "status"
    ) { (call) throws(CommandError) in
        _ = call.option("SCHEDULE")
        try call.end()
        try call.wantSave()
        call.reply.status("Background saving started")
    }

    static let save = Command(
        "SAVE",
        "Writes a snapshot, and answers when it is on the disk; others are served meanwhile.",
        group: .server, complexity: "O(records), in slices", flags: [.admin], reply: "status: OK"
    ) { (call) throws(CommandError) in
        try call.end()
        try call.wantSave()
        call.wait(for: .save)
    }

    static let lastsave = Command(
        "LASTSAVE", "Tells when the last snapshot was written.", group: .server,
        flags: [.fast], reply: "integer: seconds since 1970; of the start when there was none"
    ) { call in
        let last = call.state.pointee.persistence.save.lastDoneAt
        call.reply.integer(
            Int(last == 0 ? call.state.pointee.startedAt / 1_000_000 : last))
    }
}

extension Call {
    fileprivate func wantSave() throws(CommandError) {
        guard !state.pointee.persistence.save.isUnderWay else {
            throw .text("ERR Background save already in progress")
        }
        state.pointee.persistence.save.isWanted = true
    }
}
