/// What the server knows of the append-only file and of snapshots: the program that runs it writes
/// them, and tells here.
public struct Persistence: Sendable {
    /// A work that goes on for a while: a rewriting, a snapshot.
    public struct Work: Sendable {
        /// Whether a command asked for it and it has not begun.
        public var isWanted = false
        /// Seconds since 1970 of its beginning, while it goes on.
        public var startedAt: Int64?
        /// Seconds that the last one took; -1 before the first.
        public var lastSeconds: Int64 = -1
        /// Seconds since 1970 of the last one's end, when it went well.
        public var lastDoneAt: Int64 = 0
        /// Whether the last one went well.
        public var isLastOK = true

        /// One that never was.
        public init() {}

        /// Whether it goes on or is about to.
        public var isUnderWay: Bool { isWanted || startedAt != nil }
    }

    /// Whether changes go to an append-only file.
    public var isOn = false
    /// Whether `dir` is locked for this process.
    public var isDirectoryLocked = false
    /// Why nothing can be written at present; empty when it can.
    public var error = ""
    /// The rewriting of the append-only file.
    public var rewrite = Work()
    /// The writing of a snapshot.
    public var save = Work()
    /// Bytes of the append-only file.
    public var byteCount = 0
    /// The same after the last rewriting, or at the start.
    public var baseByteCount = 0
    /// Bytes that wait to be written.
    public var waitingByteCount = 0
    /// Bytes that are written and not on the disk.
    public var unsyncedByteCount = 0
    /// Syncs that took more than a second.
    public var slowSyncCount = 0
    /// Bytes to be loaded, and bytes loaded.
    public var loading = (byteCount: 0, loadedByteCount: 0, startedAt: Int64(0))

    init() {}
}

extension ServerState {
    /// The lines of INFO's section on persistence, with Redis' names.
    var persistenceLines: [String] {
        func status(_ isOK: Bool) -> String { isOK ? "ok" : "err" }
        let (save, rewrite) = (persistence.save, persistence.rewrite)
        let seconds = unixMicroseconds / 1_000_000
        var lines = [
            "loading:\(isLoading ? 1 : 0)", "async_loading:0",
            "rdb_bgsave_in_progress:\(save.startedAt == nil ? 0 : 1)",
            "rdb_last_save_time:\(save.lastDoneAt == 0 ? startedAt / 1_000_000 : save.lastDoneAt)",
            "rdb_last_bgsave_status:\(status(save.isLastOK))",
            "rdb_last_bgsave_time_sec:\(save.lastSeconds)",
            "rdb_current_bgsave_time_sec:\(save.startedAt.map { seconds - $0 } ?? -1)",
            "aof_enabled:\(persistence.isOn ? 1 : 0)",
            "aof_rewrite_in_progress:\(rewrite.startedAt == nil ? 0 : 1)",
            "aof_rewrite_scheduled:\(rewrite.isWanted ? 1 : 0)",
            "aof_last_rewrite_time_sec:\(rewrite.lastSeconds)",
            "aof_current_rewrite_time_sec:\(rewrite.startedAt.map { seconds - $0 } ?? -1)",
            "aof_last_bgrewrite_status:\(status(rewrite.isLastOK))",
            "aof_last_write_status:\(status(persistence.error.isEmpty))",
        ]
        if !persistence.error.isEmpty { lines.append("aof_last_write_error:\(persistence.error)") }
        if persistence.isOn {
            lines += [
                "aof_current_size:\(persistence.byteCount)",
                "aof_base_size:\(persistence.baseByteCount)",
                "aof_pending_rewrite:0", "aof_buffer_length:\(persistence.waitingByteCount)",
                "aof_pending_bio_fsync:\(persistence.unsyncedByteCount > 0 ? 1 : 0)",
                "aof_delayed_fsync:\(persistence.slowSyncCount)",
            ]
        }
        return isLoading ? lines + loadingLines : lines
    }

    private var loadingLines: [String] {
        let (total, loaded, start) = persistence.loading
        let percent = total == 0 ? 100 : loaded * 100 / total
        let seconds = unixMicroseconds / 1_000_000 - start
        let eta = loaded == 0 ? 1 : Int64(total - loaded) * max(seconds, 1) / Int64(loaded)
        return [
            "loading_start_time:\(start)", "loading_total_bytes:\(total)",
            "loading_loaded_bytes:\(loaded)", "loading_loaded_perc:\(percent).00",
            "loading_eta_seconds:\(eta)",
        ]
    }
}
