/// A bug that a world can be planted with, to see whether the model notices.
public enum Mistake: String, CaseIterable, Sendable {
    /// A node manager acknowledges what it read of the log before its store has deleted it.
    case acknowledgesEarly = "acknowledges-early"
    /// A node manager overlooks which objects of an ended batch stay.
    case forgetsKept = "forgets-kept"
    /// The server collects a circle of batches while one of them is active.
    case releasesCircleEarly = "releases-circle-early"
    /// A node manager skips the first deletion that it missed while it was away.
    case skipsMissedNotice = "skips-missed-notice"
    /// The server takes in what comes for a batch that has ended.
    case countsLateWrite = "counts-late-write"
    /// The server answers before what it did is on the disk, and then dies.
    case answersBeforeSync = "answers-before-sync"
}
