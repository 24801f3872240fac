/// Why the database takes no more writes, and when it is opened anew.
struct Breakage: Sendable {
    /// What failed last.
    private(set) var reason: String?
    /// Whether it stays so until the server is started again.
    private(set) var isForGood = false
    private var retryAt: Int64 = 0
    private var pause: Int64 = 0

    /// Milliseconds until the first try, the longest time between two, and how long all has to go well until
    /// the next failure counts as the first.
    private static let (pauseMin, pauseMax, quiet): (Int64, Int64, Int64) = (1000, 60_000, 60_000)

    /// Notes that a write failed half way.
    ///
    /// Bytes that are damaged on disk are so, too, when it is opened anew, and would be found again.
    mutating func failWriting(_ reason: String, at now: Int64) {
        fail(reason, at: now)
        isForGood = isForGood || reason.hasPrefix("Corruption")
    }

    /// Notes that the database could not be opened anew.
    ///
    /// - Parameter now: milliseconds of a clock that goes on steadily.
    mutating func fail(_ reason: String, at now: Int64) {
        self.reason = reason
        pause = now - retryAt > Self.quiet ? Self.pauseMin : min(pause * 2, Self.pauseMax)
        retryAt = now + pause
    }

    /// Notes that nothing is to be written any more.
    mutating func failForGood(_ reason: String) {
        self.reason = reason
        isForGood = true
    }

    /// Notes that the disk cannot be written yet: it is tried again as soon as somebody asks.
    mutating func stay(_ reason: String) { self.reason = reason }

    /// Notes that the database was opened anew.
    mutating func end() { reason = nil }

    /// Throws while it is not time to open the database anew.
    func checkTime(at now: Int64) throws(DiskError) {
        guard let reason else { return }
        guard !isForGood else {
            throw DiskError("\(reason); no more is written until the server is started again")
        }
        guard now >= retryAt else { throw DiskError(reason) }
    }
}
