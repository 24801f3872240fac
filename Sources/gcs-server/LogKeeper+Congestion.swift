internal import AppendOnlyFile
internal import Platform
internal import Server
internal import Settings

/// Clients that wait because the disk, or the cleaning of the log, cannot keep up with them.
extension LogKeeper {
    /// Bytes that wait for the disk above which connections are not read, until half of them are left.
    private static let backlogMax = 64 << 20
    /// Milliseconds in which it is logged once that clients wait.
    private static let congestionPause: Int64 = 10_000

    /// Has connections not read, or read again.
    func setCongested(_ status: LogStatus) {
        let waiting = status.waitingByteCount
        let isBehind = waiting > (isCongested ? Self.backlogMax / 2 : Self.backlogMax)
        // A log that is being begun anew is two logs for a while.
        let isOutrun =
            rewriting == nil && cleaner.isOutrun(status, wasOutrun: isCongested)
        let isOver = isBehind || isOutrun
        guard isOver != isCongested else { return }
        isCongested = isOver
        core.pointee.setPaused(isOver)
        tellCongestion(
            isBehind
                ? "the disk is behind by \(waiting >> 20) MiB"
                : "old parts of the append-only file have to go first")
    }

    /// Logs that clients wait, or are served again; not each time when they wait often.
    private func tellCongestion(_ reason: String) {
        guard isCongested else {
            if congestionTold.isTold { log.write(.warning, "clients are served again") }
            return
        }
        let now = SystemClock.monotonicMilliseconds
        congestionTold.isTold = now - congestionTold.at >= Self.congestionPause
        guard congestionTold.isTold else { return }
        congestionTold.at = now
        log.write(.warning, "\(reason): clients wait")
    }
}
