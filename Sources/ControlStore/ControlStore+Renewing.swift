internal import Glibc
public import Identifiers

/// Telling things again that an old part of a log told, so that the part is not needed any more.
///
/// What is not there any more is told by a later part. So is what is, when it was told again since;
/// otherwise a thing that is written over and over would be told as often again, and the log never
/// shrink.
extension ControlStore {
    /// Records that are best renewed together.
    public static var renewedTogetherCount: Int { prefetchCount }

    /// Tells how far the log is: its last segment, or an earlier one.
    public mutating func setLogSegment(_ number: Int) {
        journal.segment = UInt32(truncatingIfNeeded: number)
    }

    /// Numbers that parts of the log have, in turn.
    public static var logEpochNumberCount: Int { Int(Journal.epochNumberCount) }

    /// Begins another part of the log; there should be a few in all of it.
    ///
    /// Its number comes again after all others, `logEpochNumberCount` in all: what was told under it before must be
    /// gone from the log by then.
    public mutating func advanceLogEpoch() {
        journal.advanceEpoch()
        renewal?.lateEpochs |= 1 << journal.epoch
    }

    /// Notes records, each if it is there, was not told again, and still has the bytes that were told: if
    /// not, a later part of the log tells what it is.
    public mutating func renew(_ records: [ToldRecord]) {
        guard journal.isOn else { return }
        prefetch(records.count) { records[$0].key }
        for record in records { renew(record) }
    }

    private mutating func renew(_ record: ToldRecord) {
        let site = locate(record.key)
        guard let entry = entry(site), Self.isLast(told: record.epoch, Region.epoch(of: entry)),
            let payload = payload(site), payload.count == record.bytes.count,
            let start = payload.baseAddress, let told = record.bytes.baseAddress,
            memcmp(start, told, payload.count) == 0
        else { return }
        journal.note(record.key)
        // It will be told in this turn.
        Region.setEpoch(journal.epoch, of: entry)
    }

    /// Whether what was told in one epoch may be the last word on what was told last in another; 0 is
    /// any epoch.
    private static func isLast(told: UInt8, _ last: UInt8) -> Bool {
        told == last || told == 0 || last == 0
    }

    /// Whether a thing is told in a later segment.
    private static func isToldBehind(_ segment: Int, _ toldSegment: UInt32) -> Bool {
        toldSegment > UInt32(truncatingIfNeeded: segment)
    }

    /// Notes a batch, if it lives.
    ///
    /// - Parameter segment: where it was told.
    public mutating func renewBatch(_ id: BatchID, toldIn segment: Int) {
        guard journal.isOn, let batch = batches.find(id, memory.seeds),
            !Self.isToldBehind(segment, batch.pointee.toldSegment)
        else { return }
        journal.note(id)
        batch.pointee.toldSegment = journal.segment
    }

    /// Notes that a batch has ended, if that is remembered.
    public mutating func renewEnded(_ id: BatchID, at time: Int64) {
        if tombstones.contains(id, memory.seeds) { journal.noteEnded(id, at: time) }
    }

    /// Notes a dependency, if it is there.
    public mutating func renewDependency(_ id: BatchID, on other: BatchID) {
        if journal.isOn { journal.dependencies.append((id, other)) }
    }

    /// Notes the order on an actor, if there is one.
    ///
    /// - Parameter segment: where it was told, or a part of it.
    public mutating func renewActor(_ actor: RecordID, toldIn segment: Int) {
        guard journal.isOn, let chain = actors.chain(actor),
            !Self.isToldBehind(segment, chain.toldSegment)
        else { return }
        journal.chains.append(actor)
        actors.update(actor) { $0.toldSegment = journal.segment }
    }

    /// Notes an entry of the log of deletions, if it holds it.
    public mutating func renewEntry(_ id: LogID) {
        let position = log.position(of: id)
        guard journal.isOn, position < log.count, log[position].id == id else { return }
        journal.entries.append(log[position])
    }

    /// Notes a node, if it is known.
    ///
    /// - Parameter segment: where it was told.
    public mutating func renewNode(_ name: UnsafeBufferPointer<UInt8>, toldIn segment: Int) {
        guard journal.isOn, let position = nodes.position(of: name, memory.seeds),
            let node = nodes.nodes[position], !Self.isToldBehind(segment, node.toldSegment)
        else { return }
        journal.noteNode(node.name)
        nodes.update(at: position) { $0.toldSegment = journal.segment }
    }

    /// Notes the counters.
    ///
    /// - Parameter segment: where they were told.
    public mutating func renewHead(toldIn segment: Int) {
        guard journal.isOn, !Self.isToldBehind(segment, journal.headSegment) else { return }
        journal.hasHead = true
    }

    /// Notes what ties the disk to the log.
    public mutating func renewDisk() { if journal.isOn { journal.hasDisk = true } }

    /// Notes a reference, if it is there and was not told again.
    ///
    /// - Parameter epoch: the part of the log that told it.
    public mutating func renewReference(
        _ holder: HolderName, _ type: ReferenceType, _ object: RecordID, epoch: UInt8
    ) {
        guard journal.isOn, let number = reference(holder, type, object),
            Self.isLast(told: epoch, references.references[number].pointee.epoch)
        else { return }
        noteReference(number)
    }

    /// Bytes of the records of some batches, headers included, in the order of their slots.
    ///
    /// - Parameters:
    ///   - cursor: 0 at first.
    ///   - budget: slots after which the step ends.
    /// - Returns: the bytes, and the next cursor; 0 at the end.
    public func recordByteCount(
        from cursor: UInt64, budget: Int
    ) -> (byteCount: Int, next: UInt64) {
        var byteCount = cursor == 0 ? estate.byteCount : 0
        let end = min(UInt64(batches.slotCount), cursor + UInt64(budget))
        for slot in cursor..<max(cursor, end) {
            byteCount += batches.batch(atSlot: UInt32(slot))?.pointee.region.byteCount ?? 0
        }
        return (byteCount, end < UInt64(batches.slotCount) ? end : 0)
    }
}
