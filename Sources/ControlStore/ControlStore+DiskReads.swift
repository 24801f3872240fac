public import Identifiers

/// A read of flushed records that is under way.
public struct DiskRead: Sendable {
    struct Part: Sendable {
        var slot: UInt32
        var generation: UInt32
        var version: UInt64
    }

    /// What is read.
    public var keys: [RecordKey]
    var parts: [Part]
    /// Whether what was asked before has to be carried out first.
    public var isOrdered: Bool
}

/// Records that came back from the disk.
public struct BroughtRecords: Sendable {
    var records: [(key: RecordKey, bytes: [UInt8])] = []

    /// None.
    public init() {}

    /// Adds others.
    public mutating func add(_ other: BroughtRecords) { records += other.records }

    /// Takes some out.
    mutating func split(_ isWanted: (RecordKey) -> Bool) -> BroughtRecords {
        var taken = BroughtRecords()
        taken.records = records.filter { isWanted($0.key) }
        records.removeAll { isWanted($0.key) }
        return taken
    }
}

extension ControlStore {
    /// Whether a record that is not in memory may be on disk.
    @inline(never)
    public mutating func isMissing(_ key: RecordKey) -> Bool {
        guard let batch = batches.find(key.id.batch, memory.seeds),
            let disk = batch.pointee.disk
        else { return false }
        let hash = filterHash(key)
        disk.pointee.filter.prefetch(hash)
        // Whoever asks looks there next.
        batch.pointee.region.index.prefetch(batch.pointee.region.hash(key, memory.seeds))
        guard disk.pointee.filter.mayContain(hash),
            disk.pointee.deleting.isEmpty || disk.pointee.deleting[key] == nil
        else { return false }
        return locate(key).place == nil
    }

    /// A read of those of the records that may be on disk; `nil` when none is.
    public mutating func diskRead(_ keys: [RecordKey]) -> DiskRead? {
        var read = DiskRead(keys: [], parts: [], isOrdered: false)
        var seen: Set<RecordKey> = []
        for key in keys {
            guard isMissing(key), seen.insert(key).inserted,
                let batch = batches.find(key.id.batch, memory.seeds),
                let disk = batch.pointee.disk
            else { continue }
            read.keys.append(key)
            read.parts.append(
                .init(
                    slot: batch.pointee.slot,
                    generation: batches.generation(ofSlot: batch.pointee.slot),
                    version: disk.pointee.version))
            if flushing.dropping[key.batch] != nil { read.isOrdered = true }
        }
        return read.keys.isEmpty ? nil : read
    }

    /// Puts records that were read back into memory.
    ///
    /// - Returns: those that came back; `nil` when something changed meanwhile, so that they have to be
    ///   read again.
    public mutating func take(_ read: DiskRead, _ values: [[UInt8]?]) -> BroughtRecords? {
        for (key, part) in zip(read.keys, read.parts) where isMissing(key) {
            guard let batch = batches.batch(atSlot: part.slot, generation: part.generation),
                batch.pointee.disk?.pointee.version == part.version
            else { return nil }
        }
        var brought = BroughtRecords()
        for (key, value) in zip(read.keys, values) {
            guard let value, isMissing(key),
                let batch = batches.find(key.id.batch, memory.seeds),
                let disk = batch.pointee.disk
            else { continue }
            let reference = batch.pointee.region.insert(key, byteCount: value.count, &memory)
            batch.pointee.region.payload(of: batch.pointee.region.entry(reference))
                .copyBytes(from: value)
            disk.pointee.count(key.kind, -1)
            flushing.awayCount -= 1
            flushing.returnCount += 1
            if flushing.walkCount > 0 { flushing.returned[key] = flushing.returnCount }
            brought.records.append((key, value))
        }
        return brought
    }

    /// Takes records that came back, and were not changed, out of memory again; with a log, when it tells
    /// what they are.
    public mutating func letGo(_ brought: BroughtRecords) {
        if !brought.records.isEmpty, journal.isOn { return flushing.leaving.append(brought) }
        takeOut(brought)
    }

    /// Takes records out of memory that waited for the log.
    mutating func takeOutLeaving() {
        guard !flushing.leaving.isEmpty else { return }
        for brought in flushing.leaving { takeOut(brought) }
        flushing.leaving.removeAll(keepingCapacity: true)
    }

    private mutating func takeOut(_ brought: BroughtRecords) {
        // The newest first: it leaves no garbage.
        for (key, bytes) in brought.records.reversed() {
            guard let batch = batches.find(key.id.batch, memory.seeds) else { continue }
            bytes.withUnsafeBytes { _ = letGo(key, $0, of: batch) }
        }
    }
}

// MARK: - Walks

extension ControlStore {
    /// Whether a batch has a part on disk that a walk over its members has to visit.
    public mutating func hasDiskPart(_ id: BatchID) -> Bool {
        batches.find(id, memory.seeds)?.pointee.disk != nil
    }

    /// The first slot from `slot` on whose batch has a part on disk.
    public func nextDiskPart(from slot: UInt32) -> (slot: UInt32, batch: BatchID)? {
        guard flushing.partCount > 0 else { return nil }
        var slot = slot
        while slot < batches.slotCount {
            if let batch = batches.batch(atSlot: slot), batch.pointee.disk != nil {
                return (slot, batch.pointee.id)
            }
            slot += 1
        }
        return nil
    }

    /// Keeps records from leaving memory while a walk shows each of them once.
    ///
    /// - Returns: where it stands in the order of records that come back.
    public mutating func beginWalk() -> UInt64 {
        flushing.walkCount += 1
        return flushing.returnCount
    }

    /// Ends such a walk.
    public mutating func endWalk() {
        flushing.walkCount -= 1
        if flushing.walkCount == 0 { flushing.returned = [:] }
    }

    /// Whether a walk is to show a key that the disk listed.
    ///
    /// - Parameter walk: what `beginWalk()` gave, for a walk that has shown what was in memory.
    public mutating func shows(_ key: RecordKey, walk: UInt64?) -> Bool {
        guard key.kind == .task || key.kind == .object,
            let batch = batches.find(key.id.batch, memory.seeds), let disk = batch.pointee.disk,
            disk.pointee.deleting[key] == nil
        else { return false }
        guard let walk, locate(key).place != nil else { return true }
        return flushing.returned[key].map { $0 > walk } ?? false
    }

    /// Asks the disk for keys of a batch from a place on.
    public mutating func requestScan(
        _ id: BatchID, from place: UInt64, count: Int, ticket: UInt64
    ) {
        flushing.requests.append(.scan(ticket: ticket, id, from: place, count: count))
    }

    /// Asks the disk for records.
    public mutating func request(_ read: DiskRead, ticket: UInt64) {
        flushing.requests.append(
            .read(ticket: ticket, read.keys, isOrdered: read.isOrdered))
    }
}
