internal import Identifiers

/// Slabs on their way to the disk, oldest first, and what the disk is asked.
///
/// A slab is picked, its live records are copied into groups, and the groups are written; when a write
/// has returned, records that are still what was written leave memory. Then the slab is freed; what is
/// left in it (what changed meanwhile, what is not flushed) moves first, or stays when it is much.
struct Flushing: ~Copyable {
    /// A slab that could be flushed.
    struct Candidate {
        /// Ticks from its beginning to that of the look.
        var age: UInt32
        var slot: UInt32
        var generation: UInt32
        var slab: UInt32
    }

    /// Groups under way at most; with a log they wait for it, so there are more.
    static let groupCountMax = (plain: 4, logged: 16)
    /// Bytes and records after which a group is handed on.
    static let groupByteCountMax = 1 << 20
    static let groupRecordCountMax = 10_000
    /// Larger records stay in memory.
    static let recordByteCountMax = 16 << 20
    /// Candidates that one look at all slabs finds at most.
    static let candidateCountMax = 4096

    /// Whether records are forgotten rather than written.
    var isDiscarding = false
    /// Records forgotten in the present slice.
    var discardedCount = 0

    // Choosing.
    var candidates: [Candidate] = []
    var nextCandidate = 0
    /// The slot that the look at all slabs has come to; `nil` while none is under way.
    var lookSlot: UInt32?
    var lookCutoff = UInt32.min
    /// When the look began, in ticks.
    var lookClock: UInt32 = 0
    /// Records flushed and slabs freed since the last look ended; nothing means that nothing can be.
    var yield = 0
    /// Milliseconds since 1970 before which no look at the slabs begins.
    var nextLookAt: Int64 = 0

    // Collecting.
    var job: (name: SlabName, offset: UInt32)?
    var group = DiskGroup()
    /// Memory of groups that were written, for the next ones.
    private var spares: [[UInt8]] = []
    private static let spareCountMax = groupCountMax.plain

    // Under way.
    var groupCount = 0
    /// Records in groups that are under way or being built.
    var recordCount = 0
    /// Bytes that go when what is under way is done.
    var byteCount = 0
    var arrived: [DiskReply] = []
    var arrivedOffset = 0
    var arrivedRun = 0
    var arrivedRunCount = 0
    var sweeping: [SlabName] = []
    var sweepOffset: UInt32 = 0

    /// What ties the contents of the disk to the log that counts on them; 0 before it is used.
    var identity: UInt64 = 0
    /// Whether the disk was asked to begin.
    var isBeginning = false
    /// Whether its identity changed since a log told of it.
    var isParted = false
    /// Where taking over what an earlier run left on disk stands.
    var restoration = DiskRestoration.none
    /// What the log that is being loaded told of it.
    var told = ToldOfDisk()
    /// The walk of a snapshot that tells what is on disk; `nil` while there is none.
    var telling: FlushedTelling?
    /// Records that came back, were not changed, and leave memory once the log tells what they are.
    var leaving: [BroughtRecords] = []

    /// What is to be asked of the disk.
    var requests: [DiskRequest] = []
    /// Removals of records and batches, and changes of identity, ever asked for, and carried out.
    var removals = (requested: UInt64(0), done: UInt64(0))
    /// Batches whose removal from the disk is under way, and how often.
    var dropping: [UInt64: Int] = [:]
    /// Walks over all keys, or all members of a batch, that are under way: meanwhile no record leaves
    /// memory.
    var walkCount = 0
    /// Records that came back from disk during such walks, each with its number in the order of coming.
    var returned: [RecordKey: UInt64] = [:]
    var returnCount: UInt64 = 0
    /// Records away, of all batches.
    var awayCount = 0
    /// Batches with a part on disk.
    var partCount = 0
    /// Records that were flushed since the start.
    var flushedCount = 0
    /// How often the store was emptied.
    var epoch: UInt64 = 0
    /// Why the last write failed; `nil` while writes succeed.
    var failure: String?
    /// Milliseconds since 1970 before which no write is tried again.
    var retryAt: Int64 = 0

    /// Begins another group, in memory of one before it: what is freed where it was not made has the loop and the
    /// disk's threads wait for each other.
    mutating func beginGroup() {
        group = DiskGroup()
        guard var spare = spares.popLast() else { return }
        swap(&group.bytes, &spare)
        group.bytes.removeAll(keepingCapacity: true)
    }

    /// Takes back the memory of a group that was answered.
    mutating func keepMemory(of group: DiskGroup) {
        guard spares.count < Self.spareCountMax,
            group.bytes.capacity <= 2 * Self.groupByteCountMax
        else { return }
        spares.append(group.bytes)
    }

    /// Forgets all slabs: the store was emptied, and names of slabs begin anew.
    mutating func abandon() {
        epoch += 1
        recordCount -= group.count
        group = DiskGroup()
        (job, lookSlot) = (nil, nil)
        (candidates, nextCandidate, sweeping) = ([], 0, [])
        (sweepOffset, byteCount, returned, leaving) = (0, 0, [:], [])
    }
}

extension ControlStore {
    /// Bytes of memory that records take: what the window of a flush policy is about.
    ///
    /// Indexes come on top: about 8 bytes for each record in memory.
    public var heldByteCount: Int { memory.slabByteCount + memory.largeByteCount }
    /// Records that are on disk and not in memory.
    public var awayCount: Int { flushing.awayCount }
    /// Records flushed since the start.
    public var flushedCount: Int { flushing.flushedCount }
    /// Records on their way to the disk.
    public var flushingCount: Int { flushing.recordCount }
    /// Whether any batch has a part on disk.
    public var hasDiskParts: Bool { flushing.partCount > 0 }
    /// Whether records are on their way out of memory.
    public var isFlushing: Bool {
        flushing.groupCount > 0 || !flushing.arrived.isEmpty || !flushing.sweeping.isEmpty
            || flushing.lookSlot != nil
    }
    /// Why writes to the disk fail; `nil` while they succeed.
    public var flushFailure: String? { flushing.failure }
    /// Removals that the disk has not carried out yet.
    public var diskBacklogCount: Int { flushing.dropping.count }

    /// What the disk is to be asked, in order; the owner carries it there.
    public mutating func takeDiskRequests() -> [DiskRequest] {
        guard !flushing.requests.isEmpty else { return [] }
        defer { flushing.requests.removeAll(keepingCapacity: true) }
        return flushing.requests
    }

    /// Takes in the disk's answer; the work that follows a write or a removal is done in slices.
    public mutating func receive(_ reply: DiskReply) {
        switch reply {
        case .begun(let identity, let failure): receiveBegun(identity, failure)
        case .renamed: flushing.removals.done += 1
        case .kept(let failure): receiveKept(failure)
        case .listed(let page, let isEnd, let failure): receivePage(page, isEnd, failure)
        default: flushing.arrived.append(reply)
        }
    }

    /// Removals of records and batches that the disk was ever asked for, and that it has carried out.
    ///
    /// What a log tells of a removal is needed until it is carried out.
    public var diskRemovals: (requested: UInt64, done: UInt64) { flushing.removals }
}

// MARK: - The parts of batches on disk

extension ControlStore {
    func filterHash(_ key: RecordKey) -> UInt64 {
        memory.seeds.hash(unique: key.unique, index: key.index, kind: key.kind)
    }

    mutating func diskPart(_ batch: BatchPointer) -> UnsafeMutablePointer<DiskPart> {
        if let disk = batch.pointee.disk { return disk }
        let disk = UnsafeMutablePointer<DiskPart>.allocate(capacity: 1)
        disk.initialize(to: DiskPart())
        batch.pointee.disk = disk
        flushing.partCount += 1
        return disk
    }

    /// Has a record removed from the disk, if it may be there.
    @inline(never)
    mutating func removeFromDisk(_ key: RecordKey, _ disk: UnsafeMutablePointer<DiskPart>) {
        guard disk.pointee.filter.mayContain(filterHash(key)) else { return }
        disk.pointee.deleting[key, default: 0] += 1
        disk.pointee.version &+= 1
        requestRemoval(of: key)
    }

    /// Hands on the group that is being built, before a removal is asked for: what is removed may be in it,
    /// and would be written after it was removed.
    private mutating func handOnFirst() {
        if flushing.group.count > 0 { handOn() }
    }

    mutating func requestRemoval(of key: RecordKey) {
        handOnFirst()
        flushing.removals.requested += 1
        if case .delete(var keys)? = flushing.requests.last, keys.count < 10_000 {
            flushing.requests.removeLast()
            keys.append(key)
            flushing.requests.append(.delete(keys))
        } else {
            flushing.requests.append(.delete([key]))
        }
    }

    mutating func requestRemoval(of id: BatchID, recordCount: Int) {
        handOnFirst()
        flushing.removals.requested += 1
        flushing.dropping[UInt64(bitPattern: id.rawValue), default: 0] += 1
        flushing.requests.append(.drop(id, recordCount: recordCount))
    }

    /// Has all that is on disk removed.
    mutating func dropDiskParts() {
        var slot: UInt32 = 0
        while let part = nextDiskPart(from: slot) {
            if let batch = batches.batch(atSlot: part.slot) { dropDiskPart(batch) }
            slot = part.slot + 1
        }
    }

    /// Has all that a batch has on disk removed: it has ended.
    mutating func dropDiskPart(_ batch: BatchPointer) {
        guard let disk = batch.pointee.disk else { return }
        flushing.awayCount -= disk.pointee.awayCount
        flushing.partCount -= 1
        requestRemoval(of: batch.pointee.id, recordCount: disk.pointee.filter.count)
        disk.pointee.filter.release()
        disk.deinitialize(count: 1)
        disk.deallocate()
        batch.pointee.disk = nil
    }
}
