internal import ControlStore
internal import RESP
internal import Settings

extension Command {
    /// GCS.FLUSH.
    static let gcsFlush = Command(
        "GCS.FLUSH",
        "Flushes the oldest records, flush-num-entries-each-time if no count is given; answers when "
            + "that is done.",
        group: .server, complexity: "O(records)", flags: [.write, .admin, .blocking],
        arguments: [.integer("count").optional],
        reply: "integer: records flushed"
    ) { (call) throws(CommandError) in
        let count =
            call.words.left > 0
            ? try call.count() : call.state.pointee.settings.flushRecordCountPerPeriod
        try call.end()
        guard call.state.pointee.canFlush else {
            throw .text("FLUSHFAILED there is no disk to flush to")
        }
        call.store.lookAnew()
        let start = call.store.flushedCount
        call.wait(for: .flush(from: start, upTo: start + count))
        call.state.pointee.flush.flushers.append(call.session)
    }
}

extension ServerState {
    /// The lines of INFO's section Flush.
    var flushLines: [String] {
        let window = settings.flushWindowByteCount
        let isBehind = store.heldByteCount > flushPolicy?.ceilingByteCount ?? .max
        return [
            "flush_policy:\(settings.flushPolicy.rawValue)",
            "flush_target:\(settings.flushTarget.rawValue)", "flush_state:\(flushStateWord)",
            "flush_window_bytes:\(window)", "flush_held_bytes:\(store.heldByteCount)",
            "flush_behind:\(isBehind ? 1 : 0)",
            "flush_records_total:\(store.flushedCount)",
            "flush_records_on_disk:\(store.awayCount)",
            "flush_records_under_way:\(store.flushingCount)",
            "flush_records_per_sec:\(flush.rate)", "flush_disk_bytes:\(flush.diskByteCount)",
            "flush_last_time:\(flush.lastFlushAt / 1000)",
            "flush_last_error:\(store.flushFailure ?? "")",
            "flush_throttled_clients:\(flush.throttled.count)",
            "flush_throttled_total:\(flush.throttledCount)",
            "flush_reads_total:\(flush.readCount)",
            "flush_reads_empty_total:\(flush.emptyReadCount)",
        ]
    }

    private var flushStateWord: String {
        if !canFlush { return "off" }
        if store.flushFailure != nil { return "failing" }
        if flush.isThrottling { return "throttling" }
        return store.isFlushing ? "flushing" : "idle"
    }
}
