/// What one phase of the demo measured.
struct DemoResult: Encodable {
    var longObjectCount = 0
    /// Objects of the long job that were there with all their bytes at the end.
    var longIntactCount = 0
    var longReadCount = 0
    /// Reads by the long job, while it ran, that did not find their object.
    var longReadFailureCount = 0

    var jobCount = 0
    /// Results of short jobs that were there with all their bytes at the end.
    var resultIntactCount = 0

    var storeCapacityBytes: Int64 = 0
    /// Bytes in the store at the end.
    var storeBytes: Int64 = 0
    /// Bytes of finished short jobs, results excepted, at the end.
    var deadBytes: Int64 = 0
    /// The same, on average over the time since the first short job finished.
    var meanDeadBytes: Int64 = 0

    var putNanoseconds: Distribution?
    /// From sending END to the last deletion; absent without batches.
    var cleanNanoseconds: Distribution?
    /// Batches whose END was not followed by a clean store.
    var uncleanBatchCount = 0
    /// Ended batches of which the server still has records.
    var leftBatchCount = 0
    /// Results that do not belong to the parent of their batch.
    var misplacedResultCount = 0
    /// Objects in the store, results excepted, after the long job's END too.
    var leftObjectCount = 0
}

/// The middle and the end of many measurements.
struct Distribution: Encodable {
    var count: Int
    var median: UInt64
    var percentile99: UInt64
    var maximum: UInt64

    /// `nil` of nothing.
    init?(_ samples: [UInt64]) {
        let sorted = samples.sorted()
        guard let last = sorted.last else { return nil }
        count = sorted.count
        median = sorted[(sorted.count - 1) / 2]
        percentile99 = sorted[(sorted.count - 1) * 99 / 100]
        maximum = last
    }
}
