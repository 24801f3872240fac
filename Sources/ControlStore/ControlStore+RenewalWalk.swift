internal import CProcessor
internal import Identifiers

/// A walk over memory that has old records told again.
struct RenewalWalk: Sendable {
    /// The epochs whose records are not told again, a bit for each number.
    var lateEpochs: UInt8
    /// How far it is.
    var slot: UInt32 = 0
    var generation: UInt32 = 0
    var slab: UInt32 = 0
    /// Bytes of the records that are told again.
    var toldByteCount = 0
}

/// Telling again, in the order of memory, all records that no late part of the log tells of: then none of the lines
/// of older parts that tell of records has to be read.
///
/// That takes a tenth of what it takes to look up the record of each old line; where most lines are superseded, it
/// leaves little to be told. Only for records that lie where their ids say.
extension ControlStore {
    /// Begins such a walk.
    ///
    /// - Parameter lateCount: how many epochs are late, the present one included.
    public mutating func beginRenewal(lateCount: Int) {
        var walk = RenewalWalk(lateEpochs: 0)
        for age in 0..<lateCount { walk.lateEpochs |= 1 << journal.epoch(before: age) }
        renewal = walk
    }

    /// Ends the walk before it is done: what it had told again stays so.
    public mutating func endRenewal() { renewal = nil }

    /// Bytes that the walk had told again so far; `nil` when none is under way.
    public var renewedByteCount: Int? { renewal?.toldByteCount }

    /// Has old records told again: by the next commit, or told already.
    ///
    /// - Parameter budget: records after which it ends, and up to a slab's more.
    /// - Returns: whether the walk ended.
    public mutating func renewRecords(budget: Int) -> Bool {
        guard var walk = renewal.take() else { return true }
        var left = budget
        while walk.slot < batches.slotCount, left > 0 {
            left -= 1
            if let batch = batches.batch(atSlot: walk.slot), batch != root {
                let generation = batches.generation(ofSlot: walk.slot)
                // Where a batch ended, another one is begun with.
                if walk.generation != generation { (walk.generation, walk.slab) = (generation, 0) }
                if walk.slab < batch.pointee.region.slabCount {
                    left -= renewSlab(batch, &walk)
                    walk.slab += 1
                    continue
                }
            }
            walk.slot += 1
            walk.slab = 0
        }
        guard walk.slot < batches.slotCount else { return true }
        renewal = walk
        return false
    }

    /// Looks at the entries of the slab at hand.
    ///
    /// - Returns: how many there are; one that is told counts for more.
    private mutating func renewSlab(_ batch: BatchPointer, _ walk: inout RenewalWalk) -> Int {
        let region = batch.pointee.region
        guard let slab = region.slabs?[Int(walk.slab)], let base = slab.base else { return 0 }
        let end = walk.slab == region.current ? region.offset : slab.usedByteCount
        let hasGarbage = slab.liveByteCount < end
        var (offset, count) = (UInt32(0), 0)
        while offset < end {
            let entry = base + Int(offset)
            let byteCount = Region.byteCount(meta: Region.meta(entry))
            // The next ones are likely as long.
            gcs_prefetch(entry + Self.renewedAhead * byteCount)
            if walk.lateEpochs & 1 << Region.epoch(of: entry) == 0,
                !hasGarbage || isLive(walk.slab << 17 | offset >> 3, in: batch),
                renew(entry, of: batch)
            {
                walk.toldByteCount += byteCount
                count += Self.renewalWeight
            }
            offset += UInt32(byteCount)
            count += 1
        }
        return count
    }

    /// Whether the index refers to an entry: if not, the record is elsewhere, on disk or gone.
    private func isLive(_ reference: UInt32, in batch: BatchPointer) -> Bool {
        let region = batch.pointee.region
        let hash = region.hash(ofEntry: reference, home: batch.pointee.id, memory.seeds)
        return region.index.find(hash, isMatch: { $0 == reference }) != nil
    }

    /// Tells of a record, or has it told by the next commit; whether it is one that is told.
    private mutating func renew(_ entry: UnsafeMutableRawPointer, of batch: BatchPointer) -> Bool {
        let region = batch.pointee.region
        let key = region.key(of: entry, home: batch.pointee.id)
        guard key.kind != .need else { return false }
        Region.setEpoch(journal.epoch, of: entry)
        let traits = RecordTraits(kind: key.kind, isStray: false, epoch: journal.epoch)
        journal.tellAgain(key, traits, UnsafeRawBufferPointer(region.payload(of: entry)))
        return true
    }

    /// Looks at a record that was moved, perhaps to where the walk was already.
    @inline(__always)
    mutating func renewMoved(to reference: UInt32, of batch: BatchPointer) {
        if renewal != nil { renewIfOld(reference, of: batch) }
    }

    /// Only notes it: a command may be about to write to it.
    @inline(never)
    private mutating func renewIfOld(_ reference: UInt32, of batch: BatchPointer) {
        let region = batch.pointee.region
        let entry = region.entry(reference)
        guard let late = renewal?.lateEpochs, late & 1 << Region.epoch(of: entry) == 0 else {
            return
        }
        journal.note(region.key(of: entry, home: batch.pointee.id))
        renewal?.toldByteCount += Region.byteCount(meta: Region.meta(entry))
    }

    /// Entries whose memory is asked for ahead.
    private static var renewedAhead: Int { 8 }
    /// How many that are looked at take as long as one that is told.
    private static var renewalWeight: Int { 16 }
}
