internal import Identifiers
internal import RESP

/// The whole comparison of the store with the server, for a log that no longer reaches back.
///
/// An object that the server knew of and has no record of any more was deleted by an entry that is
/// gone. Which objects it knew of: those that this very process reported to this run of the server, and
/// those created long enough before the server last heard of the node.
struct Comparison: Equatable {
    /// Objects created up to then had been reported before the absence.
    var reportedUpTo: Int64
    /// The last entry that the log no longer holds; passed when the comparison's deletions are done.
    var lastTrimmed: LogID
    /// Objects whose lookup is not answered yet.
    var remainingCount = 0
    /// Whether all lookups are answered; what is left is the deletions.
    var isAsked = false
}

extension NodeManager {
    /// Decides from what the server said whether, and about which objects, it must be asked.
    mutating func compareIfTrimmed(_ greeting: Greeting) {
        guard greeting.lastTrimmed > log.read else { return }
        // A heartbeat said up to when everything was reported. Being alive is not enough: the node
        // may have been without its store. Without such a heartbeat nothing counts as reported.
        var reportedUpTo = server.reportedAt
        if let lastSeen = greeting.lastSeen, let serverNow = greeting.milliseconds {
            reportedUpTo = min(reportedUpTo, now - max(0, serverNow - lastSeen))
        }
        reportedUpTo -= configuration.absenceMargin.milliseconds
        // Of a comparison that was cut short the older bound holds: since then we were seen.
        if let comparison { reportedUpTo = min(reportedUpTo, comparison.reportedUpTo) }
        comparison = Comparison(reportedUpTo: reportedUpTo, lastTrimmed: greeting.lastTrimmed)
    }

    mutating func startComparison() {
        guard var comparison else { return }
        server.phase = .comparing
        var ids: [RecordID] = []
        mirror.updateAll { id, object in
            guard !object.isDying else { return }
            if object.isKnownToServer || object.createdAt <= comparison.reportedUpTo {
                ids.append(id)
            }
        }
        for id in spilling.table.ids where mirror[id] == nil {
            guard let copy = spilling.table[id], copy.isReported,
                copy.createdAt <= comparison.reportedUpTo
            else { continue }
            ids.append(id)
        }
        say(
            .notice,
            "the log begins after \(comparison.lastTrimmed), beyond \(log.read): comparing "
                + "\(ids.count) of \(mirror.count) objects with the server")
        for id in ids { reports.append(.check(id)) }
        comparison.remainingCount = ids.count
        self.comparison = comparison
        finishComparisonWhenAnswered()
    }

    mutating func checkAnswered(_ id: RecordID, _ reply: ControlReply) {
        reports.underWayCount -= 1
        // Only a plain no counts; in doubt it stays and is reported.
        if reply == .integer(0) {
            delete(id)
            forgetSpilled(id)
        }
        comparison?.remainingCount -= 1
        finishComparisonWhenAnswered()
    }

    private mutating func finishComparisonWhenAnswered() {
        guard server.phase == .comparing, let asked = comparison, asked.remainingCount == 0
        else { return }
        comparison?.isAsked = true
        deletions.append(position: asked.lastTrimmed)
        log.read = max(log.read, asked.lastTrimmed)
        catchUp()
    }
}
