/// What a batch has on disk.
///
/// A record is in memory, on disk, or both: what is in memory counts. One that is on disk only is
/// *away*. The batch's counts of records include those.
struct DiskPart {
    /// Tasks that are away.
    var taskCount = 0
    /// Objects that are away.
    var objectCount = 0
    /// Moves on whenever a read under way may bring what is no longer true.
    var version: UInt64 = 0
    /// Records whose removal from the disk is under way, and how often it was asked for.
    var deleting: [RecordKey: Int] = [:]
    /// All that was ever written to disk.
    var filter = FlushFilter()

    var awayCount: Int { taskCount + objectCount }

    mutating func count(_ kind: RecordKind, _ change: Int) {
        if kind == .task { taskCount += change } else { objectCount += change }
    }
}
