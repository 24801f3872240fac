internal import Identifiers
internal import PlasmaProtocol

/// Objects on disk: what there is, what is being written, and what is being brought back.
struct Spilling {
    /// How far a worker has come with one file.
    enum Work: Equatable {
        case idle
        /// Asked the store for objects.
        case choosing
        /// The server is asked about each of them.
        case judging(Judgement)
        /// Writes the file.
        case writing([RecordID: Int64], byteCount: Int64)
        /// The server is told where each is.
        case reporting(Set<RecordID>, all: [RecordID], byteCount: Int64)
        /// Lets them go.
        case dropping(byteCount: Int64)
    }

    /// What becomes of the objects that a worker took.
    struct Judgement: Equatable {
        var open: Set<RecordID>
        var kept: [RecordID: Int64] = [:]
        var secondary: [RecordID] = []
        var byteCount: Int64
    }

    var table = SpilledTable()
    /// Whether the store speaks our extension.
    var isStoreOurs = false
    var workers: [Work]
    var needs = NeedsReply()
    /// Whether the store owes an answer about its needs.
    var isAsking = false
    /// Nothing is spilled before: after a failure, or after nothing was found to spill.
    var pausedUntil: Int64 = 0
    /// Why nothing can be written; `nil` when it can.
    var failure: String?
    /// Objects on their way back into memory.
    var restoring: Set<RecordID> = []
    /// Those that were deleted meanwhile: they go again when they come.
    var doomedRestores: Set<RecordID> = []
    /// Restorations that found no room, when each is tried again, and how often each was tried.
    var retries: [RecordID: (at: Int64, count: Int)] = [:]
    /// What earlier runs left, until the server said which of it counts.
    var leftovers: Leftovers?
    /// Whether it is not known yet what earlier runs left; objects that were awaited until then.
    var isAdopting = true
    var awaited: Set<RecordID> = []
    var totals = Totals()

    /// What was done since the start.
    struct Totals: Equatable {
        var spilledCount = 0
        var spilledByteCount: Int64 = 0
        var spillMicroseconds: Int64 = 0
        var restoredCount = 0
        var restoredByteCount: Int64 = 0
        var restoreMicroseconds: Int64 = 0
        /// Bytes from which on the next line goes to the log.
        var nextMention: Int64 = 0
    }

    /// Copies of earlier runs, by object.
    struct Leftovers: Equatable {
        var copies: [RecordID: [NodeManager.FoundCopy]]
        var paths: [String]
        /// Objects that the server was not asked about yet.
        var waiting: [RecordID]
        /// Objects that the server has not answered for.
        var openCount: Int
    }

    init(workerCount: Int) { workers = Array(repeating: .idle, count: workerCount) }

    /// Bytes on their way out of memory.
    var byteCountUnderWay: Int64 {
        workers.reduce(0) { sum, work in
            switch work {
            case .idle, .choosing: sum
            case .judging(let judgement): sum + judgement.byteCount
            case .writing(_, let byteCount), .dropping(let byteCount): sum + byteCount
            case .reporting(_, _, let byteCount): sum + byteCount
            }
        }
    }
}

extension NodeManager {
    mutating func spillHappened(_ event: SpillEvent) {
        switch event {
        case .storeIsOurs: spilling.isStoreOurs = true
        case .needs(let needs):
            spilling.isAsking = false
            spilling.needs = needs
            if spilling.isAdopting { spilling.awaited.formUnion(needs.awaited) }
            restore(needs.awaited)
        case .chosen(let worker, let candidates): judge(worker, candidates)
        case .written(let worker, let path, let places, let microseconds):
            spilling.totals.spillMicroseconds += microseconds
            written(worker, path, places)
        case .failed(let worker, let reason, let isLackOfRoom):
            spillFailed(worker, reason, isLackOfRoom: isLackOfRoom)
        case .dropped(let worker, let byteCount):
            spilling.needs.usedByteCount -= byteCount
            spilling.needs.primaryByteCount -= byteCount
            spilling.workers[worker] = .idle
        case .restored(let id, let byteCount, let microseconds):
            spilling.totals.restoreMicroseconds += microseconds
            restored(id, byteCount)
        case .notRestored(let id, let reason, let isFinal):
            notRestored(id, reason, isFinal: isFinal)
        case .found(let copies, let paths):
            spilling.leftovers = Spilling.Leftovers(
                copies: copies, paths: paths, waiting: Array(copies.keys), openCount: copies.count)
            adoptLeftovers()
        case .wanted(let ids): restore(ids)
        }
    }

    /// Spills when the store needs it, and asks what it needs.
    mutating func pumpSpilling() {
        adoptLeftovers()
        guard let settings = configuration.spilling, spilling.isStoreOurs, store.phase != .lost
        else { return }
        if server.phase == .steady, store.phase == .synced, now >= spilling.pausedUntil {
            startSpilling(settings)
        }
        askNeeds(settings)
    }

    private mutating func startSpilling(_ settings: SpillConfiguration) {
        let fileByteCount = min(settings.fileByteCountMin, max(1, spilling.needs.capacity / 4))
        for worker in spilling.workers.indices where spilling.workers[worker] == .idle {
            let choosing = spilling.workers.count { $0 == .choosing }
            let missing = missingByteCount(settings) - Int64(choosing) * fileByteCount
            guard missing > 0 else { return }
            spilling.workers[worker] = .choosing
            outputs.append(
                .spilling(
                    .choose(
                        worker: worker, byteCount: fileByteCount,
                        count: settings.fileObjectCountMax)))
        }
    }

    /// Bytes of primary copies to spill beyond those that are on their way.
    private func missingByteCount(_ settings: SpillConfiguration) -> Int64 {
        let needs = spilling.needs
        let limit = Int64(settings.threshold * Double(needs.capacity))
        let above = needs.capacity > 0 ? needs.primaryByteCount - limit : 0
        var held: Int64 = 0
        if needs.heldByteCount > 0 {
            let free = needs.capacity - needs.usedByteCount + needs.evictableByteCount
            // Room that lies in pieces is none: something has to go.
            held = max(1, needs.heldByteCount - free)
        }
        return max(above, held) - spilling.byteCountUnderWay
    }

    /// One question at a time; while there is too much, its answer comes by time only.
    private mutating func askNeeds(_ settings: SpillConfiguration) {
        guard !spilling.isAsking else { return }
        spilling.isAsking = true
        let limit = Int64(settings.threshold * Double(spilling.needs.capacity))
        let isAbove = spilling.needs.capacity == 0 || spilling.needs.primaryByteCount >= limit
        let isBusy = isAbove || spilling.needs.heldByteCount > 0
        let isFirst = spilling.needs.capacity == 0
        outputs.append(
            .spilling(
                .askNeeds(
                    NeedsRequest(
                        primaryByteCountMax: isAbove ? .max : limit,
                        graceMilliseconds: settings.grace.milliseconds,
                        waitMilliseconds: isFirst ? 0 : isBusy ? 100 : 1000,
                        heldOrder: spilling.needs.heldOrder))))
    }

    /// The store is lost, and with it whatever was chosen; what is written already counts.
    mutating func spillingLostStore() {
        spilling.isStoreOurs = false
        spilling.isAsking = false
        spilling.needs = NeedsReply()
        spilling.restoring = []
        spilling.retries = [:]
    }

    mutating func spillFailed(_ worker: Int, _ reason: String, isLackOfRoom: Bool) {
        spilling.workers[worker] = .idle
        let pause = configuration.spilling?.failurePause ?? .seconds(1)
        spilling.pausedUntil = now + pause.milliseconds
        guard spilling.failure != reason else { return }
        // How full it is changes all the time; that it is full is said once.
        if spilling.failure == nil || !isLackOfRoom {
            say(.warning, "spilling stops, tried again by itself: \(reason)")
        }
        spilling.failure = reason
    }

    func spillHeartbeat() -> [String] {
        guard configuration.spilling != nil else { return [] }
        let totals = spilling.totals
        return [
            "spilled-objects", "\(totals.spilledCount)",
            "spilled-bytes", "\(totals.spilledByteCount)",
            "spill-ms", "\(totals.spillMicroseconds / 1000)",
            "restored-objects", "\(totals.restoredCount)",
            "restored-bytes", "\(totals.restoredByteCount)",
            "restore-ms", "\(totals.restoreMicroseconds / 1000)",
            "disk-objects", "\(spilling.table.count)",
            "disk-bytes", "\(spilling.table.byteCount)",
        ]
    }
}
