internal import Glibc
internal import Identifiers

/// What follows when the disk has answered: records leave memory, slabs are freed.
extension ControlStore {
    mutating func takeArrivals(_ left: inout Int) {
        // What leaves memory can be told only before.
        if !flushing.arrived.isEmpty { commitJournal() }
        while left > 0, let reply = flushing.arrived.first {
            switch reply {
            case .put(let group, _) where group.epoch != flushing.epoch: endGroup(group)
            case .put(let group, nil):
                guard !isHeldUp else { return }
                guard release(group, &left) else { return }
                endGroup(group)
                flushing.failure = nil
                flushing.sweeping += group.finished
            case .put(let group, let reason?):
                endGroup(group)
                fail(group, reason)
            case .deleted(let keys):
                flushing.removals.done += UInt64(keys.count)
                for key in keys { forgetDeletion(key) }
            case .dropped(let batch):
                flushing.removals.done += 1
                let id = UInt64(bitPattern: batch.rawValue)
                let count = (flushing.dropping[id] ?? 1) - 1
                flushing.dropping[id] = count == 0 ? nil : count
            case .read, .scan, .begun, .renamed, .kept, .listed: break
            }
            left -= 1
            flushing.arrived.removeFirst()
        }
    }

    /// Whether records stay where they are: walks and jobs count on it.
    var isHeldUp: Bool { flushing.walkCount > 0 || jobs.contains { !$0.readsFromDisk } }

    private mutating func endGroup(_ group: DiskGroup) {
        flushing.groupCount -= 1
        flushing.recordCount -= group.count
        flushing.keepMemory(of: group)
        (flushing.arrivedOffset, flushing.arrivedRun, flushing.arrivedRunCount) = (0, 0, 0)
    }

    /// Puts the slabs of a group that was not written back among those to be flushed.
    private mutating func fail(_ group: DiskGroup, _ reason: String) {
        flushing.failure = reason
        flushing.retryAt = now + 1000
        for name in group.finished { leaveAlone(name, restamp: false) }
        // What was not collected to its end is begun anew.
        if let (name, _) = flushing.job {
            leaveAlone(name, restamp: false)
            flushing.job = nil
        }
        flushing.yield += 1
    }

    private mutating func leaveAlone(_ name: SlabName, restamp: Bool) {
        flushing.byteCount -= name.byteCount
        guard let batch = batches.batch(atSlot: name.slot, generation: name.generation),
            let slab = batch.pointee.region.slabs.map({ $0 + Int(name.slab) })
        else { return }
        slab.pointee.isFlushing = false
        if restamp { slab.pointee.startedAt = memory.clock }
    }

    private mutating func forgetDeletion(_ key: RecordKey) {
        guard
            let disk = batches.find(key.id.batch, memory.seeds)?.pointee.disk,
            let count = disk.pointee.deleting[key]
        else { return }
        disk.pointee.deleting[key] = count == 1 ? nil : count - 1
    }

    /// Lets records go that are still what was written; whether the group is done.
    private mutating func release(_ group: DiskGroup, _ left: inout Int) -> Bool {
        group.bytes.withUnsafeBytes { bytes in
            while flushing.arrivedRun < group.runs.count {
                let run = group.runs[flushing.arrivedRun]
                let batch = batches.batch(atSlot: run.slot, generation: run.generation)
                while flushing.arrivedRunCount < run.count {
                    guard left > 0 else { return false }
                    left -= 1
                    if flushing.arrivedRunCount % Self.prefetchCount == 0 {
                        prefetch(bytes, run.count - flushing.arrivedRunCount)
                    }
                    let (name, value, next) = DiskGroup.entry(bytes, at: flushing.arrivedOffset)
                    flushing.arrivedOffset = next
                    flushing.arrivedRunCount += 1
                    guard let batch, let key = DiskKey.read(name)?.key else { continue }
                    if letGo(key, value, of: batch) {
                        flushing.flushedCount += 1
                        flushing.yield += 1
                        batch.pointee.disk?.pointee.version &+= 1
                    }
                }
                (flushing.arrivedRun, flushing.arrivedRunCount) = (
                    flushing.arrivedRun + 1, 0
                )
            }
            return true
        }
    }

    /// Asks for the records that the next entries are about.
    private mutating func prefetch(_ bytes: UnsafeRawBufferPointer, _ entryCount: Int) {
        var keys: [RecordKey] = []
        keys.reserveCapacity(Self.prefetchCount)
        var offset = flushing.arrivedOffset
        for _ in 0..<min(entryCount, Self.prefetchCount) {
            let (name, _, next) = DiskGroup.entry(bytes, at: offset)
            if let key = DiskKey.read(name)?.key { keys.append(key) }
            offset = next
        }
        prefetch(keys.count) { keys[$0] }
    }

    /// Takes a record out of memory if the disk has the same; whether it has.
    mutating func letGo(
        _ key: RecordKey, _ bytes: UnsafeRawBufferPointer, of batch: BatchPointer
    ) -> Bool {
        guard let disk = batch.pointee.disk,
            let place = batch.pointee.region.find(key, memory.seeds),
            disk.pointee.deleting.isEmpty || disk.pointee.deleting[key] == nil
        else { return false }
        let payload = batch.pointee.region.payload(
            of: batch.pointee.region.entry(place.pointee))
        guard payload.count == bytes.count, Self.isSame(payload, bytes), !mustStay(key, payload)
        else { return false }
        if flushing.telling != nil { tellFlushed(key, bytes) }
        batch.pointee.region.removeNewest(key, &memory)
        disk.pointee.count(key.kind, 1)
        flushing.awayCount += 1
        if flushing.walkCount > 0 { flushing.returned[key] = nil }
        return true
    }

    private static func isSame(
        _ payload: UnsafeMutableRawBufferPointer, _ bytes: UnsafeRawBufferPointer
    ) -> Bool {
        guard let first = payload.baseAddress, let second = bytes.baseAddress else { return true }
        return memcmp(first, second, bytes.count) == 0
    }

    // MARK: Sweeping

    /// Frees slabs whose records were written.
    mutating func sweep(_ left: inout Int) {
        while left > 0, let name = flushing.sweeping.first {
            guard let batch = batches.batch(atSlot: name.slot, generation: name.generation),
                let slab = batch.pointee.region.slabs?[Int(name.slab)]
            else {
                endSweep(name)
                flushing.byteCount -= name.byteCount
                continue
            }
            left -= 1
            if slab.liveByteCount == 0 {
                batch.pointee.region.releaseSlab(name.slab, &memory)
                // Unmapping one takes as long as looking at some records.
                left -= 16
                batch.pointee.region.index.releaseIfEmpty(&memory.pool)
                flushing.byteCount -= name.byteCount
                flushing.yield += 1
                endSweep(name)
            } else if flushing.sweepOffset == 0, slab.liveByteCount > slab.usedByteCount / 2 {
                // Most of it stays: as if it were new.
                leaveAlone(name, restamp: true)
                endSweep(name)
            } else {
                move(batch, name.slab, &left)
            }
        }
    }

    private mutating func endSweep(_ name: SlabName) {
        flushing.sweeping.removeFirst()
        flushing.sweepOffset = 0
    }

    /// Moves records out of a slab.
    private mutating func move(_ batch: BatchPointer, _ slab: UInt32, _ left: inout Int) {
        while left > 0 {
            switch batch.pointee.region.moveNext(of: slab, from: &flushing.sweepOffset, &memory) {
            case .moved(let reference): renewMoved(to: reference, of: batch)
            case .passed: break
            case .none: return
            }
            left -= 1
        }
    }
}
