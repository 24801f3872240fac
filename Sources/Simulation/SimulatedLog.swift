internal import ControlStore

/// A server's log on a disk that syncs at once: what the journal told, a group for each turn.
///
/// What counts on a disk are whole groups, so a crash between two turns is every crash: what a turn did
/// whose group was not synced is lost like a request that never arrived, and a group whose replies were
/// not sent is like one whose replies were lost.
struct SimulatedLog {
    private(set) var groups: [[UInt8]] = []
    /// The log that will take its place: what was told since a walk over everything began.
    private var rewriting: (walk: JournalWalk, groups: [[UInt8]])?

    var byteCount: Int { groups.reduce(0) { $0 + $1.count } }
    var isBeingRewritten: Bool { rewriting != nil }

    /// Begins the log anew: a walk over the whole store tells what there is.
    mutating func rewrite() { rewriting = (JournalWalk(), []) }

    /// Takes in what a turn changed, and a slice of the walk when there is one.
    mutating func keep(_ store: inout ControlStore, budget: Int) {
        if var walk = rewriting?.walk {
            store.advance(&walk, budget: budget)
            rewriting?.walk = walk
        }
        store.commitJournal()
        let group = Array(store.journalBytes)
        store.clearJournal()
        if !group.isEmpty {
            groups.append(group)
            rewriting?.groups.append(group)
        }
        if let rewriting, rewriting.walk.isDone {
            groups = rewriting.groups
            self.rewriting = nil
        }
    }

    /// A crash: a log that was being written anew is dropped, the old one is whole.
    mutating func crash() { rewriting = nil }

    /// A planted bug: the last group never came to the disk.
    mutating func loseLast() { _ = groups.popLast() }
}
