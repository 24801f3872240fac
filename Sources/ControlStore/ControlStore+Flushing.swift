internal import Identifiers

extension ControlStore {
    /// Does a slice of flushing: at most about `budget` records are looked at.
    ///
    /// - Returns: whether more can be done without waiting for the disk.
    public mutating func flushSlice(_ demand: FlushDemand, budget: Int) -> Bool {
        var left = budget
        var demand = demand
        flushing.discardedCount = 0
        let (flushed, held) = (flushedCount, heldByteCount)
        takeArrivals(&left)
        sweep(&left)
        // What was got in this slice is not asked for again.
        demand.recordCount -= flushedCount - flushed
        demand.byteCount -= held - heldByteCount
        guard left > 0, !isFreeing else { return true }
        collect(demand, &left)
        return !isHeldUp && !flushing.arrived.isEmpty || !flushing.sweeping.isEmpty || left <= 0
    }

    /// Sets whether flushed records are forgotten rather than written.
    public mutating func setDiscarding(_ isDiscarding: Bool) {
        flushing.isDiscarding = isDiscarding
    }

    /// Whether nothing that is left could be flushed, as far as is known.
    public var isFlushExhausted: Bool {
        !flushing.isBeginning && flushing.job == nil
            && flushing.nextCandidate >= flushing.candidates.count
            && flushing.lookSlot == nil && now < flushing.nextLookAt && flushing.yield == 0
            && flushing.groupCount == 0
            && flushing.group.count == 0 && flushing.arrived.isEmpty && flushing.sweeping.isEmpty
    }

    /// Has the next demand look at all slabs, however short ago the last look was.
    public mutating func lookAnew() { flushing.nextLookAt = 0 }

    // MARK: Choosing

    /// Looks at some slabs for the oldest; whether the look has ended.
    private mutating func look(_ left: inout Int) -> Bool {
        guard var slot = flushing.lookSlot else { return true }
        while slot < batches.slotCount, left > 0 {
            left -= 1
            if let batch = batches.batch(atSlot: slot), batch != root { look(at: batch, &left) }
            slot += 1
            if flushing.candidates.count >= 2 * Flushing.candidateCountMax { keepOldest() }
        }
        guard slot >= batches.slotCount else {
            flushing.lookSlot = slot
            return false
        }
        keepOldest()
        flushing.lookSlot = nil
        return true
    }

    private mutating func look(at batch: BatchPointer, _ left: inout Int) {
        guard let slabs = batch.pointee.region.slabs else { return }
        let generation = batches.generation(ofSlot: batch.pointee.slot)
        left -= Int(batch.pointee.region.slabCount) / 8
        for number in 0..<batch.pointee.region.slabCount {
            let slab = slabs[Int(number)]
            guard slab.base != nil, slab.liveByteCount > 0, !slab.isFlushing,
                number != batch.pointee.region.evacuated
            else { continue }
            // One begun since the look began is the newest.
            let age = max(Int32(bitPattern: flushing.lookClock &- slab.startedAt), 0)
            guard UInt32(age) >= flushing.lookCutoff else { continue }
            flushing.candidates.append(
                .init(
                    age: UInt32(age), slot: batch.pointee.slot, generation: generation, slab: number
                ))
        }
    }

    private mutating func keepOldest() {
        flushing.candidates.sort { $0.age > $1.age }
        let excess = flushing.candidates.count - Flushing.candidateCountMax
        guard excess > 0 else { return }
        flushing.candidates.removeLast(excess)
        flushing.lookCutoff = flushing.candidates.last?.age ?? 0
    }

    /// The next slab to be flushed; `nil` when none was found, or not yet.
    private mutating func pick(_ demand: FlushDemand, _ left: inout Int) -> SlabName? {
        while true {
            while flushing.nextCandidate < flushing.candidates.count, left > 0 {
                let candidate = flushing.candidates[flushing.nextCandidate]
                if let age = demand.age, demand.byteCount <= 0, demand.recordCount <= 0,
                    Int64(candidate.age &+ (memory.clock &- flushing.lookClock)) << 6 < age
                {
                    return nil
                }
                flushing.nextCandidate += 1
                left -= 1
                if let name = take(candidate) { return name }
            }
            guard left > 0 else { return nil }
            if flushing.lookSlot == nil {
                guard now >= flushing.nextLookAt || flushing.yield > 0 else { return nil }
                // A look that led to nothing is repeated a second later, not at once.
                flushing.nextLookAt = now + 1000
                flushing.candidates.removeAll(keepingCapacity: true)
                (flushing.nextCandidate, flushing.yield) = (0, 0)
                (flushing.lookSlot, flushing.lookCutoff) = (0, 0)
                flushing.lookClock = memory.clock
            }
            guard look(&left) else { return nil }
            if flushing.candidates.isEmpty { return nil }
        }
    }

    private mutating func take(_ candidate: Flushing.Candidate) -> SlabName? {
        guard
            let batch = batches.batch(atSlot: candidate.slot, generation: candidate.generation),
            let slabs = batch.pointee.region.slabs, candidate.slab < batch.pointee.region.slabCount
        else { return nil }
        let slab = slabs + Int(candidate.slab)
        guard slab.pointee.base != nil, slab.pointee.liveByteCount > 0, !slab.pointee.isFlushing,
            candidate.slab != batch.pointee.region.evacuated
        else { return nil }
        if candidate.slab == batch.pointee.region.current { batch.pointee.region.endSlab() }
        slab.pointee.isFlushing = true
        flushing.byteCount += Int(slab.pointee.usedByteCount)
        return SlabName(
            slot: candidate.slot, generation: candidate.generation, slab: candidate.slab,
            byteCount: Int(slab.pointee.usedByteCount))
    }

    // MARK: Collecting

    private mutating func collect(_ demand: FlushDemand, _ left: inout Int) {
        guard flushing.failure == nil || now >= flushing.retryAt else { return }
        let groupCountMax =
            journal.isOn ? Flushing.groupCountMax.logged : Flushing.groupCountMax.plain
        while left > 0, flushing.groupCount < groupCountMax {
            guard isWanted(demand) else { break }
            guard isDiskReady() else { return }
            if flushing.job == nil {
                guard let name = pick(demand, &left) else { break }
                flushing.job = (name, 0)
            }
            collectRecords(demand, &left)
            guard
                flushing.group.byteCount >= Flushing.groupByteCountMax
                    || flushing.group.count >= Flushing.groupRecordCountMax
            else { continue }
            handOn()
            // Until the disk has answered, one write is tried at a time.
            if flushing.failure != nil { return flushing.retryAt = now + 1000 }
        }
        guard flushing.group.count > 0 || !flushing.group.finished.isEmpty, left > 0,
            flushing.groupCount < groupCountMax
        else { return }
        handOn()
        if flushing.failure != nil { flushing.retryAt = now + 1000 }
    }

    private func isWanted(_ demand: FlushDemand) -> Bool {
        demand.byteCount > flushing.byteCount
            || demand.recordCount > flushing.recordCount + flushing.discardedCount
            || demand.age != nil && demand.byteCount <= 0
    }

    /// Hands on the group that is being built.
    mutating func handOn() {
        guard flushing.group.count > 0 else {
            flushing.sweeping += flushing.group.finished
            flushing.beginGroup()
            return
        }
        flushing.groupCount += 1
        flushing.group.epoch = flushing.epoch
        flushing.requests.append(.put(flushing.group))
        flushing.beginGroup()
    }

    /// Copies live records of the slab at hand into the group, until it is full or nothing more is wanted.
    private mutating func collectRecords(_ demand: FlushDemand, _ left: inout Int) {
        guard var (name, offset) = flushing.job else { return }
        guard let batch = batches.batch(atSlot: name.slot, generation: name.generation),
            let slab = batch.pointee.region.slabs?[Int(name.slab)], let base = slab.base
        else { return endJob(name) }
        var lookedAtCount = 0
        while offset < slab.usedByteCount {
            if lookedAtCount % Self.prefetchCount == 0 {
                prefetch(base, from: offset, to: slab.usedByteCount, batch)
            }
            lookedAtCount += 1
            guard left > 0, flushing.group.byteCount < Flushing.groupByteCountMax,
                flushing.group.count < Flushing.groupRecordCountMax
            else { return flushing.job = (name, offset) }
            if demand.byteCount <= 0, demand.age == nil,
                demand.recordCount <= flushing.recordCount + flushing.discardedCount
            {
                return flushing.job = (name, offset)
            }
            left -= 1
            let entry = base + Int(offset)
            let reference = name.slab << 17 | offset >> 3
            offset += UInt32(Region.byteCount(meta: Region.meta(entry)))
            guard let key = flushableKey(entry, reference, batch) else { continue }
            let payload = UnsafeRawBufferPointer(batch.pointee.region.payload(of: entry))
            if flushing.isDiscarding {
                discard(key)
                continue
            }
            if Region.isLarge(meta: Region.meta(entry)) {
                name.byteCount += payload.count
                flushing.byteCount += payload.count
            }
            add(key, payload, of: batch, name)
        }
        flushing.group.finished.append(name)
        flushing.job = nil
    }

    /// Asks for the places of the next entries of a slab in the index and in the filter.
    private func prefetch(
        _ base: UnsafeMutableRawPointer, from start: UInt32, to end: UInt32, _ batch: BatchPointer
    ) {
        let region = batch.pointee.region
        var offset = start
        for _ in 0..<Self.prefetchCount where offset < end {
            let entry = base + Int(offset)
            offset += UInt32(Region.byteCount(meta: Region.meta(entry)))
            let key = region.key(of: entry, home: batch.pointee.id)
            region.index.prefetch(region.hash(key, memory.seeds))
            batch.pointee.disk?.pointee.filter.prefetch(filterHash(key))
        }
    }

    private mutating func endJob(_ name: SlabName) {
        flushing.byteCount -= name.byteCount
        flushing.job = nil
    }

    /// The key of a live entry that may leave memory.
    private func flushableKey(
        _ entry: UnsafeMutableRawPointer, _ reference: UInt32, _ batch: BatchPointer
    ) -> RecordKey? {
        let region = batch.pointee.region
        let key = region.key(of: entry, home: batch.pointee.id)
        guard key.kind == .task || key.kind == .object,
            region.index.find(region.hash(key, memory.seeds), isMatch: { $0 == reference }) != nil,
            region.payload(of: entry).count <= Flushing.recordByteCountMax,
            !mustStay(key, region.payload(of: entry))
        else { return nil }
        return key
    }

    private mutating func add(
        _ key: RecordKey, _ payload: UnsafeRawBufferPointer, of batch: BatchPointer,
        _ name: SlabName
    ) {
        let disk = diskPart(batch)
        let hash = filterHash(key)
        if !disk.pointee.filter.mayContainOfLate(hash) { disk.pointee.filter.insert(hash) }
        flushing.group.append(key, payload)
        flushing.recordCount += 1
        if let last = flushing.group.runs.indices.last,
            flushing.group.runs[last].slot == name.slot,
            flushing.group.runs[last].generation == name.generation
        {
            flushing.group.runs[last].count += 1
        } else {
            flushing.group.runs.append(
                .init(slot: name.slot, generation: name.generation, count: 1))
        }
    }

    private mutating func discard(_ key: RecordKey) {
        if key.kind == .task {
            _ = removeTask(key.id)
        } else {
            removeObjectRecord(key, at: locate(key))
        }
        flushing.discardedCount += 1
        flushing.flushedCount += 1
        flushing.yield += 1
    }
}
