internal import Identifiers

/// The batches whose time-outs are renewed, and when each is due.
struct Leases {
    private struct Lease {
        var milliseconds: Int64
        var dueNanoseconds: UInt64
    }

    private var leases: [BatchID: Lease] = [:]

    /// Renews from now on, three times in each time-out: two renewals may come too late.
    mutating func add(_ batch: BatchID, milliseconds: Int64, now: UInt64) {
        leases[batch] = Lease(
            milliseconds: milliseconds, dueNanoseconds: now + Self.period(milliseconds))
    }

    mutating func remove(_ batch: BatchID) { leases[batch] = nil }

    mutating func makeAllDue() {
        for batch in leases.keys { leases[batch]?.dueNanoseconds = 0 }
    }

    /// The leases that are due, which are not due again for a third of their time-out.
    mutating func takeDue(now: UInt64) -> [(batch: BatchID, milliseconds: Int64)] {
        var due: [(batch: BatchID, milliseconds: Int64)] = []
        for (batch, lease) in leases where lease.dueNanoseconds <= now {
            due.append((batch, lease.milliseconds))
        }
        for (batch, milliseconds) in due {
            leases[batch]?.dueNanoseconds = now + Self.period(milliseconds)
        }
        return due
    }

    private static func period(_ milliseconds: Int64) -> UInt64 {
        UInt64(milliseconds) * 1_000_000 / 3
    }
}
