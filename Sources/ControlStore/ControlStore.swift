internal import Identifiers

/// The tables: batches with their tasks and objects, nodes, and the log of deletions.
///
/// One owner, the loop's thread; reached through a pointer, never copied. No clock of its own: `now` is
/// set by the owner before each turn. Work that grows with the data (freeing, expiring, trimming) waits
/// for `maintain()`.
public struct ControlStore: ~Copyable {
    /// Milliseconds since 1970.
    public var now: Int64 = 0 {
        didSet { memory.clock = UInt32(truncatingIfNeeded: now >> 6) }
    }
    /// Ended ids are remembered this long, in milliseconds (`batch-tombstone-secs`).
    public var tombstoneMilliseconds: Int64 = 3_600_000
    /// Entries of the log at most (`gc-log-max-len`).
    public var logCountMax = 1_000_000
    /// Whether an object that loses its last reference is freed (`reference-counting`).
    public var isCountingReferences = false
    /// The number of the last read that a job asked for.
    var lastJobTicket: UInt64 = 0
    /// Registered nodes that were silent for longer count as gone, in milliseconds; 0: none does
    /// (`node-timeout-secs`).
    public var nodeTimeoutMilliseconds: Int64 = 30_000
    /// The deletions.
    public internal(set) var log = DeletionLog()
    /// Deletions that were not announced yet; emptied by the server after each command.
    public var announcements: [Deletion] = []

    var memory: Memory
    var batches = BatchTable()
    var estate = Region(isWide: true)
    /// For each prefix with records in the estate, one of them.
    var prefixes = HashIndex()
    var tombstones = Tombstones()
    var nodes = NodeTable()
    var deadlines = DeadlineHeap()
    var references = ReferenceTable()
    /// Objects that were freed with their last reference, and are to be announced together.
    var unannouncedObjects: [RecordID] = []
    var nodesCheckedAt: Int64 = 0
    var actors = ActorTable()
    var journal = Journal()
    var flushing = Flushing()
    /// The walk that has old records told again, if one is under way.
    var renewal: RenewalWalk?
    /// How far the count of what loaded tasks need is, while loading ends.
    var loadedNeeds: LoadedNeeds?
    /// Entries of the log that were loaded, in no order.
    var loadedEntries: [DeletionLog.Entry] = []
    /// Deferred batches that are free to go, and how many of them went.
    var releasing: [(slot: UInt32, generation: UInt32)] = []
    var releasedCount = 0
    /// What the last walk over batches marked those that it saw with.
    var lastMark: UInt32 = 0
    var root: BatchPointer
    /// Batches whose memory is to be freed, first to last.
    var graveyard: BatchPointer?
    var graveyardEnd: BatchPointer?
    /// How far the index of the first of them is freed.
    var graveyardPosition: UInt64 = 0
    /// Tables of before the store was emptied.
    var remains: [Remains] = []
    /// The last deletion that every registered node carried out; zero when none is registered.
    var acknowledgedByAll = LogID.zero
    /// Slabs of a region above which no more is added; smaller in tests.
    var slabCountMax = Region.slabCountMax - 1024
    /// What commands left to slices, oldest first.
    var jobs: [Job] = []
    private var lastBatchID: Int64 = 0

    /// Records of living batches.
    public internal(set) var taskCount = 0
    /// Records of living batches.
    public internal(set) var objectCount = 0
    /// Records of living batches.
    public internal(set) var actorCount = 0

    /// An empty store: the root batch and nothing in it.
    public init(seeds: HashSeeds) {
        memory = Memory(seeds: seeds)
        root = Self.makeBatch(.root, now: 0, &memory)
        batches.insert(root, &memory)
    }

    deinit {
        // The process ends with its store; slices of work are for a store that goes on.
    }

    static func makeBatch(_ id: BatchID, now: Int64, _ memory: inout Memory) -> BatchPointer {
        let batch = memory.pool.take(MemoryLayout<Batch>.stride)
            .bindMemory(to: Batch.self, capacity: 1)
        batch.initialize(to: Batch(id: id, createdAt: now))
        return batch
    }

    /// Batches that live, the root included.
    public var batchCount: Int { batches.count }
    /// Ended batches that are remembered.
    public var tombstoneCount: Int { tombstones.count }
    /// Nodes that deletions wait for.
    public var registeredNodeCount: Int { nodes.registeredCount }
    /// Bytes of memory mapped for records, indexes and batches.
    public var mappedByteCount: Int {
        memory.pool.chunkCount * Pool.chunkByteCount + memory.largeByteCount
    }
    /// Whether memory of ended batches waits to be freed.
    public var isFreeing: Bool { graveyard != nil || !remains.isEmpty }

    /// A new id: the time in microseconds, or one more than the last.
    ///
    /// Ids must not come again after a restart, when stores still hold objects of earlier batches.
    mutating func nextBatchID() -> BatchID {
        lastBatchID = max(lastBatchID + 1, now * 1000)
        return BatchID(rawValue: lastBatchID)
    }
}

/// Where a record is, or where it would be written.
struct Site {
    /// The owner; `nil` when no living batch is.
    var batch: BatchPointer?
    /// The index's reference to the record; `nil` when there is none.
    var place: UnsafeMutablePointer<UInt32>?
    /// Whether the record lies in the estate.
    var isStray: Bool
}

extension ControlStore {
    /// Finds a record: in its prefix's region, then in the estate.
    @inline(__always)
    mutating func locate(_ key: RecordKey) -> Site {
        let home = BatchID(rawValue: Int64(bitPattern: key.batch))
        guard home != .root, let batch = batches.find(home, memory.seeds) else {
            return locateStray(key) ?? Site(batch: nil, place: nil, isStray: true)
        }
        if let place = batch.pointee.region.find(key, memory.seeds) {
            return Site(batch: batch, place: place, isStray: false)
        }
        if batch.pointee.hasStrays, let site = locateStray(key) { return site }
        return Site(batch: batch, place: nil, isStray: false)
    }

    /// Asks for the memory that the search for some records will read, so that the searches do not wait for
    /// it one after the other.
    ///
    /// Only for those that lie in the region of the batch in their ids, as most do.
    mutating func prefetch(_ count: Int, _ key: (Int) -> RecordKey) {
        for position in 0..<count {
            let key = key(position)
            guard let batch = home(of: key) else { continue }
            batch.pointee.region.index.prefetch(batch.pointee.region.hash(key, memory.seeds))
        }
        for position in 0..<count {
            let key = key(position)
            home(of: key)?.pointee.region.prefetchEntry(key, memory.seeds)
        }
    }

    @inline(__always)
    private mutating func home(of key: RecordKey) -> BatchPointer? {
        batches.find(BatchID(rawValue: Int64(bitPattern: key.batch)), memory.seeds)
    }

    /// How many searches wait together: as many as a processor waits for at once, a few times over.
    static var prefetchCount: Int { 32 }

    /// Finds a record for writing: a new one belongs to the batch in its id, or to the root.
    @inline(__always)
    mutating func locateForWriting(_ key: RecordKey) throws(StoreError) -> Site {
        var site = locate(key)
        if site.batch != nil { return site }
        let home = BatchID(rawValue: Int64(bitPattern: key.batch))
        guard !tombstones.contains(home, memory.seeds) else { throw .batchEnded(home) }
        site.batch = root
        return site
    }

    /// Refuses what would fill a region: the last of its slabs are for records that move there.
    @inline(__always)
    func checkRoom(_ site: Site) throws(StoreError) {
        guard let batch = site.batch else { return }
        let slabCount = site.isStray ? estate.slabCount : batch.pointee.region.slabCount
        guard slabCount < slabCountMax else { throw .batchFull(batch.pointee.id) }
    }

    /// The bytes of the record at a site.
    @inline(__always)
    func payload(_ site: Site) -> UnsafeMutableRawBufferPointer? {
        guard let entry = entry(site), let batch = site.batch else { return nil }
        return site.isStray ? estate.payload(of: entry) : batch.pointee.region.payload(of: entry)
    }

    /// The record at a site with its header.
    @inline(__always)
    func entry(_ site: Site) -> UnsafeMutableRawPointer? {
        guard let place = site.place, let batch = site.batch else { return nil }
        return site.isStray
            ? estate.entry(place.pointee) : batch.pointee.region.entry(place.pointee)
    }

    /// Adds a record of `byteCount` bytes at a site that has none; the caller fills them.
    @inline(__always)
    mutating func insert(
        _ key: RecordKey, at site: Site, byteCount: Int
    ) -> UnsafeMutableRawBufferPointer {
        count(key.kind, 1)
        journal.note(key)
        guard let batch = site.batch, !site.isStray else {
            return insertStray(key, byteCount: byteCount, owner: site.batch ?? root, isKept: false)
        }
        batch.pointee.count(key.kind, 1)
        let reference = batch.pointee.region.insert(key, byteCount: byteCount, &memory)
        return batch.pointee.region.payload(of: batch.pointee.region.entry(reference))
    }

    /// Gives the record at a site another size; its bytes stay as far as they fit.
    mutating func resize(_ site: Site, byteCount: Int) -> UnsafeMutableRawBufferPointer {
        guard let batch = site.batch, let place = site.place else {
            preconditionFailure("a record to resize that is not there")
        }
        if site.isStray {
            noteStray(place.pointee)
            return resizeStray(place, byteCount: byteCount)
        }
        if journal.isOn {
            let entry = batch.pointee.region.entry(place.pointee)
            journal.note(batch.pointee.region.key(of: entry, home: batch.pointee.id))
        }
        _ = batch.pointee.region.resize(place, byteCount: byteCount, &memory)
        // Compaction may move the very record: its place in the index stays true.
        compact(batch)
        return batch.pointee.region.payload(of: batch.pointee.region.entry(place.pointee))
    }

    /// Removes the record at a site.
    mutating func remove(_ key: RecordKey, at site: Site) {
        guard let batch = site.batch, let place = site.place else { return }
        journal.note(key)
        count(key.kind, -1)
        if site.isStray { return removeStray(place.pointee) }
        batch.pointee.count(key.kind, -1)
        if let disk = batch.pointee.disk { removeFromDisk(key, disk) }
        batch.pointee.region.remove(key, &memory)
        compact(batch)
    }

    /// Records moved for each write while a region's garbage is above its bound.
    static var compactionBudget: Int { 16 }

    private mutating func compact(_ batch: BatchPointer) {
        guard batch.pointee.region.needsCompaction else { return }
        for _ in 0..<Self.compactionBudget {
            if let (_, new) = batch.pointee.region.moveOne(&memory) {
                renewMoved(to: new, of: batch)
            }
        }
    }

    mutating func count(_ kind: RecordKind, _ change: Int) {
        switch kind {
        case .task: taskCount += change
        case .object: objectCount += change
        case .actor: actorCount += change
        case .need: break
        }
    }
}

extension ControlStore {
    /// Takes a batch out of the tables; its memory is freed in slices.
    mutating func bury(_ batch: BatchPointer) {
        setDeadline(batch, 0)
        unlinkDependencies(batch)
        dropDiskPart(batch)
        batches.remove(batch, memory.seeds)
        batch.pointee.nextInGraveyard = nil
        if let last = graveyardEnd {
            last.pointee.nextInGraveyard = batch
        } else {
            graveyard = batch
        }
        graveyardEnd = batch
    }

    /// Forgets everything at once; memory is freed in slices as after the end of batches.
    ///
    /// Nothing is announced: nodes find themselves unknown and report again, as after a restart.
    ///
    /// - Complexity: O(nodes).
    public mutating func reset() {
        dropDiskParts()
        clearKept()
        flushing.abandon()
        buryTables()
        root = Self.makeBatch(.root, now: now, &memory)
        batches.insert(root, &memory)
        forgetReferences()
        for node in knownNodes { _ = node.name.withUnsafeBufferPointer { removeNode($0) } }
        (releasing, releasedCount) = ([], 0)
        for job in jobs { job.isDone = true }
        jobs = []
        (taskCount, objectCount, actorCount) = (0, 0, 0)
        announcements = []
        loadedEntries = []
        journal.reset()
    }

    /// Leaves all tables to slices that free them, and begins with empty ones.
    private mutating func buryTables() {
        var oldBatches = BatchTable()
        var oldLog = log.emptied()
        swap(&batches, &oldBatches)
        swap(&log, &oldLog)
        remains.append(
            Remains(
                batches: oldBatches, estate: estate, prefixes: prefixes, actors: actors,
                log: oldLog, graveyard: graveyard, graveyardPosition: graveyardPosition))
        (estate, prefixes, actors) = (Region(isWide: true), HashIndex(), actors.emptied())
        (graveyard, graveyardEnd, graveyardPosition) = (nil, nil, 0)
        deadlines = DeadlineHeap()
    }
}
