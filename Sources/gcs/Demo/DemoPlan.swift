internal import Identifiers

/// The sizes of the situation that the demo replays.
struct DemoPlan: Encodable {
    /// What the store may hold.
    var storeBytes: Int64 = 256 << 20
    /// Objects of the long job.
    var longObjectCount = 100
    /// Size of each of them.
    var longObjectBytes = 400_000
    /// Short jobs that run beside the long one.
    var jobCount = 300
    /// Objects of each short job; the last one is its result.
    var jobObjectCount = 300
    /// Size of each of them.
    var jobObjectBytes = 32_768
    /// The long job uses its objects once in so many short jobs.
    var useEvery = 40
    /// From the start of a short job to the start of the next, unless the first takes longer.
    var paceMilliseconds: UInt64 = 90

    /// A few seconds, for tests.
    static let quick = DemoPlan(
        storeBytes: 24 << 20, longObjectCount: 20, longObjectBytes: 100_000, jobCount: 40,
        jobObjectCount: 300, jobObjectBytes: 4096, useEvery: 25, paceMilliseconds: 25)

    /// Bytes of a short job's objects.
    var jobBytes: Int64 { Int64(jobObjectCount) * Int64(jobObjectBytes) }

    /// Bytes of the long job's objects.
    var longBytes: Int64 { Int64(longObjectCount) * Int64(longObjectBytes) }

    /// Bytes of the results of all short jobs.
    var keptBytes: Int64 { Int64(jobCount) * Int64(jobObjectBytes) }

    /// Why these sizes make no sense; `nil` when they do.
    var objection: String? {
        let needed = longBytes + jobBytes + keptBytes
        if needed > storeBytes {
            return "the long job, one short job and all results are \(Units.bytes(needed)), "
                + "which a store of \(Units.bytes(storeBytes)) cannot hold"
        }
        if longBytes + jobBytes * Int64(jobCount) <= storeBytes {
            return "all jobs together fit into \(Units.bytes(storeBytes)): nothing to show; "
                + "make the store smaller or the jobs more"
        }
        return nil
    }
}

extension DemoPlan {
    /// The objects of the long job.
    func longObjects(_ batch: BatchID) -> [RecordID] {
        (1...longObjectCount).map { RecordID(batch: batch, unique: 1, index: UInt32($0)) }
    }

    /// The objects of a short job: return values of its one task.
    func jobObjects(_ batch: BatchID) -> [RecordID] {
        (1...jobObjectCount).map { RecordID(batch: batch, unique: 1, index: UInt32($0)) }
    }

    /// The result of a short job.
    func result(_ batch: BatchID) -> RecordID {
        RecordID(batch: batch, unique: 1, index: UInt32(jobObjectCount))
    }
}
