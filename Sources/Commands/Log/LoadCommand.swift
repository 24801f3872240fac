internal import ControlStore
internal import Identifiers
internal import RESP

extension Command {
    private static let changes = [
        "HEAD", "RESET", "BATCH", "ENDED", "RECORD", "GONE", "DEPEND", "RUN", "CHAIN", "ENTRY",
        "NODE", "NODEGONE", "REF", "UNREF", "CLEAR", "DISK", "SEGMENT", "MARK", "FINISH",
    ]

    /// GCS.LOAD.
    static let load = Command(
        "GCS.LOAD",
        "Takes one line of an append-only file in: what a thing is. HEAD begins, FINISH ends.",
        group: .log, flags: [.write, .admin],
        arguments: [.words("change", changes), .string("word").many.optional],
        reply: "OK"
    ) { (call) throws(CommandError) in
        var change = Change(words: call.words)
        let name = try change.name()
        if !call.state.pointee.isLoading {
            guard name.matches("HEAD") || name.matches("SEGMENT") else {
                throw .text("ERR GCS.LOAD begins with SEGMENT or HEAD")
            }
            guard call.store.isEmpty else {
                throw .text("ERR GCS.LOAD is for an empty store: this one holds records")
            }
            call.state.pointee.isLoading = true
        }
        if name.matches("FINISH") {
            call.store.finishLoading()
            call.store.resumeLoaded()
            call.state.pointee.isLoading = false
        } else {
            try change.apply(name, to: &call.store)
        }
        call.reply.ok()
    }
}
