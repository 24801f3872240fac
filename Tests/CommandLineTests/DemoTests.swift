import Identifiers
import Testing

@testable import gcs

@Suite struct DemoTests {
    private func result() -> DemoResult {
        var result = DemoResult()
        result.longObjectCount = 4
        result.longIntactCount = 4
        result.jobCount = 3
        result.resultIntactCount = 3
        result.storeCapacityBytes = 1000
        return result
    }

    @Test("no promise is broken when all is there and nothing else")
    func kept() {
        let report = DemoReport(plan: .quick, lru: result(), batches: result())
        #expect(report.brokenPromises.isEmpty)
    }

    @Test(
        "each broken promise is named",
        arguments: [
            (\DemoResult.longIntactCount, 3, "objects of the long job not intact: 1"),
            (\.longReadFailureCount, 2, "reads of the long job that found nothing: 2"),
            (\.resultIntactCount, 1, "kept results not readable: 2"),
            (\.uncleanBatchCount, 1, "ended batches not deleted from the store: 1"),
            (\.leftBatchCount, 1, "ended batches still on record: 1"),
            (\.misplacedResultCount, 1, "kept results that do not belong to the root: 1"),
            (\.leftObjectCount, 9, "objects left 1 s after the long job's END: 9"),
        ] as [(any WritableKeyPath<DemoResult, Int> & Sendable, Int, String)])
    func broken(path: any WritableKeyPath<DemoResult, Int> & Sendable, value: Int, text: String) {
        var batches = result()
        batches[keyPath: path] = value
        let report = DemoReport(plan: .quick, lru: result(), batches: batches)
        #expect(report.brokenPromises == [text])
    }

    @Test("what the LRU phase loses breaks no promise")
    func lostByLRU() {
        var lru = result()
        lru.longIntactCount = 0
        lru.deadBytes = 900
        let report = DemoReport(plan: .quick, lru: lru, batches: result())
        #expect(report.brokenPromises.isEmpty)
        #expect(report.sentence.contains("lost 4 of the long job's 4 objects while 90 %"))
    }

    @Test(
        "an object's bytes follow from its id, and any other byte is noticed",
        arguments: [
            1, 23, 24, 25, 1000,
        ])
    func pattern(byteCount: Int) {
        let id = RecordID(batch: BatchID(rawValue: 7), unique: 1, index: 3)
        let other = RecordID(batch: BatchID(rawValue: 8), unique: 2, index: 4)
        var bytes = [UInt8](repeating: 0xaa, count: byteCount)
        bytes.withUnsafeMutableBytes { Pattern.fill($0, for: id) }
        func matches(_ id: RecordID) -> Bool {
            bytes.withUnsafeBytes { Pattern.matches($0, for: id, byteCount: byteCount) }
        }
        #expect(matches(id))
        if byteCount >= RecordID.byteCount { #expect(!matches(other)) }
        bytes[byteCount - 1] ^= 1
        #expect(!matches(id))
    }

    @Test("percentiles are measured values")
    func distribution() {
        let distribution = Distribution((1...100).reversed().map { UInt64($0) })
        #expect(distribution?.median == 50)
        #expect(distribution?.percentile99 == 99)
        #expect(distribution?.maximum == 100)
        #expect(Distribution([]) == nil)
    }

    @Test("the default sizes make sense")
    func sizes() {
        #expect(DemoPlan().objection == nil)
        #expect(DemoPlan.quick.objection == nil)
        var plan = DemoPlan()
        plan.jobCount = 10
        #expect(plan.objection?.contains("nothing to show") == true)
    }
}
