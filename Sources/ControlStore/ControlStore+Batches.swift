public import Identifiers

/// A batch to be started.
public struct NewBatch: Sendable {
    /// Its id; `nil` to be given one.
    public var id: BatchID?
    /// The batch it is part of.
    public var parent = BatchID.root
    /// What people call it.
    public var name: [UInt8] = []
    /// Milliseconds until it times out; 0 for never.
    public var timeout: Int64 = 0
    /// Whether END leaves its records.
    public var isNoCleanup = false

    /// A batch under the root.
    public init() {}
}

/// What became of a batch by END.
public enum EndResult: Sendable {
    /// Its records are gone.
    case collected
    /// It goes when no active batch depends on it any more.
    case deferred
    /// It ended, and its records stay.
    case ended
}

extension ControlStore {
    /// The living batch of this id, or why there is none.
    mutating func batch(_ id: BatchID) throws(StoreError) -> BatchPointer {
        if let batch = batches.find(id, memory.seeds) { return batch }
        throw tombstones.contains(id, memory.seeds) ? .batchEnded(id) : .noBatch(id)
    }

    /// Whether a batch lives.
    public mutating func isAlive(_ id: BatchID) -> Bool { batches.find(id, memory.seeds) != nil }

    /// Starts a batch.
    public mutating func startBatch(_ new: NewBatch) throws(StoreError) -> BatchID {
        let parent = try batch(new.parent)
        guard parent.pointee.status == .active else { throw .parentNotActive(new.parent) }
        guard new.name.count <= Batch.nameByteCountMax else { throw .nameTooLong(new.name.count) }
        if let id = new.id {
            guard id.rawValue > 0 else { throw .invalidBatch }
            guard batches.find(id, memory.seeds) == nil else { throw .batchExists(id) }
            guard !tombstones.contains(id, memory.seeds) else { throw .batchEnded(id) }
        }
        let batch = Self.makeBatch(new.id ?? freshBatchID(), now: now, &memory)
        batch.pointee.isNoCleanup = new.isNoCleanup
        batch.pointee.hasStrays = hasStrays(batch.pointee.id)
        if batch.pointee.hasStrays { batch.pointee.inheritLineage(from: root) }
        if !new.name.isEmpty { batch.pointee.name = makeName(new.name) }
        batches.insert(batch, &memory)
        linkChild(batch, under: parent)
        if new.timeout > 0 { setDeadline(batch, now + new.timeout) }
        journal.note(batch.pointee.id)
        return batch.pointee.id
    }

    private mutating func freshBatchID() -> BatchID {
        while true {
            let id = nextBatchID()
            if batches.find(id, memory.seeds) == nil, !tombstones.contains(id, memory.seeds) {
                return id
            }
        }
    }

    mutating func makeName(_ name: [UInt8]) -> UnsafeMutableRawPointer {
        let block = memory.pool.take(name.count + 4)
        block.storeBytes(of: UInt32(name.count), as: UInt32.self)
        (block + 4).copyMemory(from: name, byteCount: name.count)
        return block
    }

    /// What is known of a batch.
    public mutating func batchInfo(_ id: BatchID) throws(StoreError) -> BatchInfo {
        let batch = try batch(id).pointee
        return BatchInfo(
            id: id, parent: batches.batch(atSlot: batch.parent)?.pointee.id ?? .root,
            name: batch.nameBytes, status: batch.status, createdAt: batch.createdAt,
            endedAt: batch.endedAt,
            timeout: batch.deadline == 0 ? -1 : max(batch.deadline - now, 0),
            taskCount: batch.totalTaskCount, objectCount: batch.totalObjectCount,
            keptCount: Int(batch.kept.count), byteCount: batch.region.byteCount)
    }

    /// Records that `GC:<batch>` lists; `nil` when the batch does not live.
    public mutating func memberCount(_ id: BatchID) -> Int? {
        batches.find(id, memory.seeds).map { $0.pointee.memberCount }
    }

    /// Whether a record belongs to a batch and is not kept.
    public mutating func isMember(_ id: RecordID, _ kind: RecordKind, of batch: BatchID) -> Bool {
        let site = locate(RecordKey(id, kind))
        guard let owner = site.batch, owner.pointee.id == batch, let payload = payload(site) else {
            return false
        }
        return kind != .object || !ObjectRecord(payload).isKept
    }
}

// MARK: - Ownership

extension ControlStore {
    /// Marks objects to pass to the parent when the batch ends; creates those that no node reported yet.
    ///
    /// - Returns: how many were not kept before.
    public mutating func keep(_ ids: [RecordID], in id: BatchID) throws(StoreError) -> Int {
        guard id != .root else { throw .rootBatch }
        let batch = try batch(id)
        for object in ids {
            let owner = try locateForWriting(RecordKey(object, .object)).batch?.pointee.id ?? .root
            guard owner == id else { throw .notOwned(object, owner: owner, named: id) }
        }
        var kept = 0
        for object in ids {
            let key = RecordKey(object, .object)
            let site = locate(key)
            if let payload = payload(site), ObjectRecord(payload).isKept { continue }
            moveToEstate(key, from: site, to: batch, isKept: true)
            kept += 1
        }
        return kept
    }

    /// Gives objects to another batch now; creates those that no node reported yet.
    ///
    /// - Returns: how many changed their owner.
    public mutating func transfer(_ ids: [RecordID], to id: BatchID) throws(StoreError) -> Int {
        let batch = try batch(id)
        for object in ids { _ = try locateForWriting(RecordKey(object, .object)) }
        var moved = 0
        var owners: Set<BatchPointer> = []
        for object in ids {
            let key = RecordKey(object, .object)
            let site = try locateForWriting(key)
            if site.batch != batch || site.place == nil { moved += 1 }
            if let owner = site.batch, owner != batch { owners.insert(owner) }
            give(key, at: site, to: batch)
        }
        for owner in owners { objectsMoved(from: owner, to: batch) }
        return moved
    }

    /// Makes `batch` the owner of a record, unkept: at home in its region if the id carries it.
    mutating func give(_ key: RecordKey, at site: Site, to batch: BatchPointer) {
        // What is pinned stays in the estate, where its owner finds it when it ends.
        let isPinned =
            key.kind == .object && payload(site).map { ObjectRecord($0).isPinned } ?? false
        guard key.id.batch == batch.pointee.id, batch != root, !isPinned else {
            return moveToEstate(key, from: site, to: batch, isKept: false)
        }
        guard site.isStray || site.place == nil else { return }
        let bytes = payload(site).map { Array($0) } ?? newObject(key)
        remove(key, at: site)
        let home = Site(batch: batch, place: nil, isStray: false)
        let payload = insert(key, at: home, byteCount: bytes.count)
        payload.copyBytes(from: bytes)
        if key.kind == .object { ObjectRecord(payload).isKept = false }
    }

    /// The record of an object that no node reported yet.
    private mutating func newObject(_ key: RecordKey) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: ObjectRecord.byteCount(locationCount: 0))
        let isCounted = noteOutput(key.id)
        bytes.withUnsafeMutableBytes { ObjectRecord($0).isCounted = isCounted }
        return bytes
    }

    mutating func moveToEstate(
        _ key: RecordKey, from site: Site, to batch: BatchPointer, isKept: Bool
    ) {
        journal.note(key)
        defer { if key.kind == .object { outputRoams(key.id) } }
        if site.isStray, let place = site.place, let owner = site.batch {
            unlinkOwner(place.pointee, owner)
            if key.kind == .object {
                ObjectRecord(payload(ofStray: place.pointee)).isKept = isKept
                ObjectRecord(payload(ofStray: place.pointee)).isOrphan = false
            }
            return linkOwner(place.pointee, batch, isKept: isKept)
        }
        let bytes = payload(site).map { Array($0) } ?? newObject(key)
        remove(key, at: site)
        count(key.kind, 1)
        let payload = insertStray(key, byteCount: bytes.count, owner: batch, isKept: isKept)
        payload.copyBytes(from: bytes)
        if key.kind == .object { ObjectRecord(payload).isKept = isKept }
    }
}

// MARK: - Family and time

extension ControlStore {
    func linkChild(_ batch: BatchPointer, under parent: BatchPointer) {
        batch.pointee.parent = parent.pointee.slot
        batch.pointee.nextSibling = parent.pointee.firstChild
        batches.batch(atSlot: parent.pointee.firstChild)?.pointee.previousSibling =
            batch.pointee.slot
        parent.pointee.firstChild = batch.pointee.slot
    }

    func unlinkChild(_ batch: BatchPointer) {
        let (next, previous) = (batch.pointee.nextSibling, batch.pointee.previousSibling)
        batches.batch(atSlot: next)?.pointee.previousSibling = previous
        if previous != none {
            batches.batch(atSlot: previous)?.pointee.nextSibling = next
        } else {
            batches.batch(atSlot: batch.pointee.parent)?.pointee.firstChild = next
        }
    }

    mutating func setDeadline(_ batch: BatchPointer, _ deadline: Int64) {
        batch.pointee.deadline = deadline
        journal.note(batch.pointee.id)
        if deadline == 0 { deadlines.remove(batch) } else { deadlines.update(batch) }
    }

    /// Sets when an active batch times out, in milliseconds since 1970; `nil` lifts it.
    ///
    /// - Returns: whether that changed anything.
    public mutating func setDeadline(_ id: BatchID, _ deadline: Int64?) -> Bool {
        guard id != .root, let batch = batches.find(id, memory.seeds),
            batch.pointee.status == .active
        else { return false }
        let isChange = deadline != nil || batch.pointee.deadline != 0
        setDeadline(batch, deadline.map { max($0, 1) } ?? 0)
        return isChange
    }

    /// When a batch times out, in milliseconds since 1970; 0 for never, `nil` when it does not live.
    public mutating func deadline(_ id: BatchID) -> Int64? {
        batches.find(id, memory.seeds).map { $0.pointee.deadline }
    }

    /// Batches with a time-out.
    public var deadlineCount: Int { deadlines.count }

    /// When the next batch times out, in milliseconds since 1970.
    public var nextDeadline: Int64? { deadlines.first?.pointee.deadline }
}
