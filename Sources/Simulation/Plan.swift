/// How one world is made: drawn from its seed.
struct Plan {
    var nodeCount: Int
    var driverCount: Int
    /// Milliseconds of faults.
    var chaos: Int64
    /// Most milliseconds between two faults.
    var faultGapMax: Int64
    /// Most milliseconds between two actions of a driver.
    var actionGapMax: Int64
    /// How many of a hundred messages are late, and by how many milliseconds at most.
    var latePercent: Int
    var latencyMax: Int64
    /// How many of a hundred faults restart the server.
    var serverRestartPercent: Int
    /// How many of a hundred ends that drivers think of do they ask for; and in the end, of all batches.
    var eagerness: Int
    var endPercent: Int
    /// Ids per Delete request, entries per page of the log, reports under way.
    var chunkCount: Int
    var pageCount: Int
    var windowCount: Int

    /// Whether drivers report references; whether the last one frees; seconds that a node may be silent.
    var hasReferences: Bool
    var isCounting: Bool
    var nodeTimeout: Int
    /// Whether the server has a log, synced before each reply: what it answered outlives its restarts.
    var isDurable: Bool

    /// Milliseconds between the last fault and the check.
    static let healing: Int64 = 60_000

    init(_ random: inout Random) {
        nodeCount = random.count(1...3)
        driverCount = random.count(1...4)
        chaos = random.number(5_000...40_000)
        faultGapMax = random.pick([500, 2_000, 10_000]) ?? 500
        actionGapMax = random.pick([100, 400, 1_500]) ?? 400
        latePercent = random.pick([0, 5, 20]) ?? 0
        latencyMax = random.number(50...1_500)
        serverRestartPercent = random.pick([0, 0, 4, 15]) ?? 0
        eagerness = random.pick([20, 50, 100]) ?? 100
        endPercent = random.pick([0, 50, 100]) ?? 100
        chunkCount = random.pick([1, 3, 100]) ?? 100
        pageCount = random.pick([1, 2, 1000]) ?? 1000
        windowCount = random.pick([1, 4, 256]) ?? 256
        hasReferences = random.happens(60)
        isCounting = hasReferences && random.happens(60)
        nodeTimeout = random.pick([0, 2, 5, 30]) ?? 30
        isDurable = random.happens(60)
        if isDurable { serverRestartPercent = random.pick([4, 15, 30]) ?? 15 }
    }
}
