/// Both phases side by side, and what they mean.
struct DemoReport: Encodable {
    var plan: DemoPlan
    /// The store alone, which drops what was not used for longest.
    var lru: DemoResult
    /// The same jobs as batches.
    var batches: DemoResult

    /// The table.
    var table: Table {
        var table = Table(
            .init(title: ""), .init(title: "LRU ONLY", alignment: .right),
            .init(title: "WITH BATCHES", alignment: .right))
        func row(_ title: String, _ cell: (DemoResult) -> String) {
            table.append(title, cell(lru), cell(batches))
        }
        row("long job's objects intact at the end") {
            "\($0.longIntactCount) of \($0.longObjectCount)"
        }
        row("long job's reads that found nothing") {
            "\($0.longReadFailureCount) of \($0.longReadCount)"
        }
        row("short jobs' results readable at the end") {
            "\($0.resultIntactCount) of \($0.jobCount)"
        }
        row("dead weight at the end") { share($0.deadBytes, $0) }
        row("dead weight on average") { share($0.meanDeadBytes, $0) }
        row("a short job's put, p50") { latency($0.putNanoseconds?.median) }
        row("a short job's put, p99") { latency($0.putNanoseconds?.percentile99) }
        row("a short job's put, slowest") { latency($0.putNanoseconds?.maximum) }
        row("from END to a clean store, p50") { latency($0.cleanNanoseconds?.median) }
        row("from END to a clean store, slowest") { latency($0.cleanNanoseconds?.maximum) }
        table.append(
            "ended batches still on record", "-",
            "\(batches.leftBatchCount) of \(batches.jobCount)")
        return table
    }

    private func share(_ bytes: Int64, _ result: DemoResult) -> String {
        "\(Units.bytes(bytes)) (\(Units.percent(bytes, of: result.storeCapacityBytes)))"
    }

    private func latency(_ nanoseconds: UInt64?) -> String {
        nanoseconds.map { Units.latency(nanoseconds: $0) } ?? "never"
    }

    /// What the numbers mean.
    var sentence: String {
        let lost = lru.longObjectCount - lru.longIntactCount
        let dead = Units.percent(lru.deadBytes, of: lru.storeCapacityBytes)
        let before =
            "By itself the store lost \(lost) of the long job's \(lru.longObjectCount) objects "
            + "while \(dead) of it was taken by jobs that were over"
        guard brokenPromises.isEmpty else { return before + "." }
        let slowest = latency(batches.cleanNanoseconds?.maximum)
        return before + "; with batches every object that was needed is there, and what was not "
            + "needed was gone \(slowest) after the job's end at the latest."
    }

    /// What batches promise and this run did not show; empty when all is well.
    var brokenPromises: [String] {
        let result = batches
        let counts = [
            (result.longObjectCount - result.longIntactCount, "objects of the long job not intact"),
            (result.longReadFailureCount, "reads of the long job that found nothing"),
            (result.jobCount - result.resultIntactCount, "kept results not readable"),
            (result.uncleanBatchCount, "ended batches not deleted from the store"),
            (result.leftBatchCount, "ended batches still on record"),
            (result.misplacedResultCount, "kept results that do not belong to the root"),
            (result.leftObjectCount, "objects left 1 s after the long job's END"),
        ]
        let broken = counts.filter { $0.0 > 0 }.map { "\($0.1): \($0.0)" }
        guard result.deadBytes > 0 else { return broken }
        return broken + ["dead weight 1 s after the last END: \(Units.bytes(result.deadBytes))"]
    }
}
