internal import Identifiers
internal import PlasmaClient
internal import PlasmaProtocol
internal import Platform

/// One replay of the situation, with or without batches.
final class DemoPhase {
    private let plan: DemoPlan
    private let title: String
    private let cluster: DemoCluster
    private let watcher: StoreWatcher
    private let driver: any JobDriver
    private var progress = Progress()

    private var result = DemoResult()
    private var longObjects: [RecordID] = []
    private var longBatch = BatchID.root
    private var jobs: [BatchID] = []
    private var putTimes: [UInt64] = []
    private var endTimes: [BatchID: UInt64] = [:]

    init(_ plan: DemoPlan, title: String, cluster: DemoCluster) {
        self.plan = plan
        self.title = title
        self.cluster = cluster
        driver = cluster.control.map { BatchDriver($0) } ?? PlainDriver()
        watcher = StoreWatcher(
            socketPath: cluster.storeSocket, resultIndex: UInt32(plan.jobObjectCount))
    }

    deinit { watcher.stop() }

    /// Runs the jobs and looks at what is left.
    func run() throws -> DemoResult {
        defer { progress.clear() }
        try startLongJob()
        var next = SystemClock.monotonicNanoseconds
        for number in 1...plan.jobCount {
            try cluster.check()
            try runShortJob(number)
            if number.isMultiple(of: plan.useEvery) { try useLongObjects() }
            next += plan.paceMilliseconds * 1_000_000
            try Interruption.sleep(untilNanoseconds: next)
            try progress.show(try progressLine(number))
            next = max(next, SystemClock.monotonicNanoseconds)
        }
        result.meanDeadBytes = try watcher.census().meanDeadByteCount
        try waitForCleanStore()
        try inspectStore()
        try inspectRecords()
        try endLongJob()
        return result
    }

    private func startLongJob() throws {
        longBatch = try driver.start(name: "long job")
        longObjects = plan.longObjects(longBatch)
        for id in longObjects { try put(id, plan.longObjectBytes) }
    }

    private func runShortJob(_ number: Int) throws {
        let job = try driver.start(name: "short job \(number)")
        jobs.append(job)
        let objects = plan.jobObjects(job)
        try driver.addTask(objects[0].task)
        for id in objects {
            let start = SystemClock.monotonicNanoseconds
            try put(id, plan.jobObjectBytes)
            putTimes.append(SystemClock.monotonicNanoseconds - start)
        }
        endTimes[job] = SystemClock.monotonicNanoseconds
        watcher.finish(job)
        try driver.finish(objects[0].task, keeping: plan.result(job))
    }

    private func put(_ id: RecordID, _ byteCount: Int) throws {
        try Interruption.check()
        Pattern.fill(try cluster.store.create(id, dataByteCount: byteCount), for: id)
        try cluster.store.seal(id)
        try cluster.store.release(id)
    }

    private func useLongObjects() throws {
        result.longReadCount += longObjects.count
        let found = try intactCount(longObjects, plan.longObjectBytes)
        result.longReadFailureCount += longObjects.count - found
    }

    /// How many of the objects are there with all their bytes.
    private func intactCount(_ ids: [RecordID], _ byteCount: Int) throws -> Int {
        var count = 0
        for id in ids {
            try Interruption.check()
            guard let object = try cluster.store.get([id])[0] else { continue }
            if Pattern.matches(object.data, for: id, byteCount: byteCount) { count += 1 }
            try cluster.store.release(id)
        }
        return count
    }

    /// With batches: gives the node manager the second that it was promised to need at most.
    private func waitForCleanStore() throws {
        guard driver.collects, let last = jobs.last, let ended = endTimes[last] else { return }
        while try watcher.census().deadByteCount > 0,
            SystemClock.monotonicNanoseconds < ended + 1_000_000_000
        {
            try Interruption.sleep(milliseconds: 5)
        }
    }

    /// Counts what is in the store by asking the store itself.
    private func inspectStore() throws {
        let results = jobs.map(plan.result)
        let living = Set(longObjects).union(results)
        result.storeCapacityBytes = cluster.store.capacityByteCount
        for row in try cluster.store.list() {
            result.storeBytes += row.byteCount
            if !living.contains(row.id) { result.deadBytes += row.byteCount }
        }
        result.longObjectCount = longObjects.count
        result.longIntactCount = try intactCount(longObjects, plan.longObjectBytes)
        result.jobCount = jobs.count
        result.resultIntactCount = try intactCount(results, plan.jobObjectBytes)
        result.putNanoseconds = Distribution(putTimes)
        guard driver.collects else { return }
        let cleanTimes = jobs.compactMap { job in
            watcher.emptied(job).flatMap { emptied in endTimes[job].map { emptied - $0 } }
        }
        result.cleanNanoseconds = Distribution(cleanTimes)
        result.uncleanBatchCount = jobs.count - cleanTimes.count
    }

    private func inspectRecords() throws {
        for job in jobs {
            try Interruption.check()
            if try driver.hasRecords(job, of: plan.jobObjects(job)[0].task) {
                result.leftBatchCount += 1
            }
            if try driver.isMisplaced(plan.result(job)) { result.misplacedResultCount += 1 }
        }
    }

    /// With batches: after the last END only the results are left.
    private func endLongJob() throws {
        guard driver.collects else { return }
        let ended = SystemClock.monotonicNanoseconds
        try driver.end(longBatch)
        let results = Set(jobs.map(plan.result))
        repeat {
            try Interruption.sleep(milliseconds: 5)
            result.leftObjectCount = try cluster.store.list().count { !results.contains($0.id) }
        } while result.leftObjectCount > 0
            && SystemClock.monotonicNanoseconds < ended + 1_000_000_000
    }

    private func progressLine(_ number: Int) throws -> String {
        let census = try watcher.census()
        return "\(title): job \(number)/\(plan.jobCount), "
            + "store \(Units.bytes(census.byteCount)), "
            + "dead weight \(Units.bytes(census.deadByteCount)), "
            + "failed reads \(result.longReadFailureCount)/\(result.longReadCount)"
    }
}
