internal import ControlStore
public import Identifiers
internal import RESP
public import Settings

/// A command that is not answered in one step: a walk over many keys, or a read that waits.
///
/// Further requests of the connection wait until it is done. Cold: commands that look at one record never
/// make one.
public final class Pending {
    /// What is to be done.
    public enum Work {
        /// KEYS: names that match.
        case keys(Glob)
        /// SMEMBERS of a batch.
        case members(BatchID)
        /// XRANGE and XREVRANGE: entries from one position to another, and how many at most.
        case range(from: LogID, to: LogID, isReverse: Bool, left: Int)
        /// XREAD that waits for an entry after `id`; a deadline in milliseconds since 1970, or 0.
        case read(after: LogID, count: Int, deadline: Int64)
    }

    /// What is to be done.
    public var work: Work
    var cursor: UInt64 = 0
    var isStarted = false
    var count = 0
    /// The elements found so far.
    var body = ReplyWriter(capacity: 64 << 10)

    init(_ work: Work) { self.work = work }
}
