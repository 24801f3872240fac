internal import Glibc
public import Identifiers

/// Telling things again that an old part of a log told, so that the part is not needed any more.
///
/// What is not there any more is told by a later part.
extension ControlStore {
    /// Notes a record, if it is there and still has the bytes that were told: if not, a later part of
    /// the log tells what it is.
    public mutating func renewRecord(
        _ id: RecordID, _ kind: RecordKind, _ bytes: UnsafeRawBufferPointer
    ) {
        let key = RecordKey(id, kind)
        guard let payload = payload(locate(key)), payload.count == bytes.count,
            let start = payload.baseAddress, let told = bytes.baseAddress,
            memcmp(start, told, bytes.count) == 0
        else { return }
        journal.note(key)
    }

    /// Notes a batch, if it lives.
    public mutating func renewBatch(_ id: BatchID) { journal.note(id) }

    /// Notes that a batch has ended, if that is remembered.
    public mutating func renewEnded(_ id: BatchID, at time: Int64) {
        if journal.isOn, tombstones.contains(id, memory.seeds) { journal.ended.append((id, time)) }
    }

    /// Notes a dependency, if it is there.
    public mutating func renewDependency(_ id: BatchID, on other: BatchID) {
        if journal.isOn { journal.dependencies.append((id, other)) }
    }

    /// Notes the order on an actor, if there is one.
    public mutating func renewActor(_ actor: RecordID) {
        guard journal.isOn, actors.chain(actor) != nil, journal.chains.last != actor else { return }
        journal.chains.append(actor)
    }

    /// Notes an entry of the log of deletions, if it holds it.
    public mutating func renewEntry(_ id: LogID) {
        let position = log.position(of: id)
        guard journal.isOn, position < log.count, log[position].id == id else { return }
        journal.entries.append(log[position])
    }

    /// Notes a node, if it is known.
    public mutating func renewNode(_ name: UnsafeBufferPointer<UInt8>) {
        if journal.isOn, let node = node(name) { journal.nodes.append(node.name) }
    }

    /// Notes the counters.
    public mutating func renewHead() { if journal.isOn { journal.hasHead = true } }

    /// Notes what ties the disk to the log.
    public mutating func renewDisk() { if journal.isOn { journal.hasDisk = true } }

    /// Notes a reference, if it is there.
    public mutating func renewReference(
        _ holder: HolderName, _ type: ReferenceType, _ object: RecordID
    ) {
        guard journal.isOn else { return }
        for info in references(to: object)
        where info.type == type && info.process == holder.process
            && info.node.elementsEqual(holder.node)
        {
            noteReference(info)
        }
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
