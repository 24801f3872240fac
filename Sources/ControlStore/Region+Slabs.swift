/// Where a region's records lie: slabs that are filled from their start, and freed whole.
extension Region {
    @inline(__always)
    mutating func allocate(_ size: Int, _ memory: inout Memory) -> UInt32 {
        if size > Int(limit &- offset) { startSlab(entryByteCount: size, &memory) }
        let reference = current << 17 | offset >> 3
        offset &+= UInt32(truncatingIfNeeded: size)
        liveByteCount &+= size
        if let slabs { slabs[Int(current)].liveByteCount &+= UInt32(truncatingIfNeeded: size) }
        return reference
    }

    /// The next slab: a quarter of what the region has, a whole number of such entries.
    @inline(never)
    private mutating func startSlab(entryByteCount: Int, _ memory: inout Memory) {
        closeSlab()
        let target = max(256, allocatedByteCount / 4)
        let wanted = (target + entryByteCount - 1) / entryByteCount * entryByteCount
        let isChunk = wanted > Pool.blockByteCountMax
        let byteCount = isChunk ? Pool.chunkByteCount : Pool.grantedByteCount(for: wanted)
        let base = isChunk ? memory.pool.takeChunk() : memory.pool.take(wanted)
        current = freeNumber(&memory)
        slabs?[Int(current)] = Slab(
            base: base, usedByteCount: 0, liveByteCount: 0, startedAt: memory.clock)
        offset = 0
        limit = UInt32(byteCount)
        allocatedByteCount += byteCount
        memory.slabByteCount += byteCount
    }

    private mutating func closeSlab() {
        guard limit > 0 else { return }
        slabs?[Int(current)].usedByteCount = offset
    }

    private mutating func freeNumber(_ memory: inout Memory) -> UInt32 {
        if freeNumberCount > 0, let slabs {
            freeNumberCount -= 1
            for number in 0..<slabCount where slabs[Int(number)].base == nil { return number }
        }
        precondition(slabCount < Self.slabCountMax, "a batch of more than 32 GiB")
        if slabCount == slabCapacity { growSlabTable(&memory) }
        slabCount += 1
        return slabCount - 1
    }

    private mutating func growSlabTable(_ memory: inout Memory) {
        let capacity = max(4, slabCapacity * 2)
        let table = Self.slabTable(capacity, &memory)
        if let slabs {
            table.update(from: slabs, count: Int(slabCount))
            Self.freeSlabTable(slabs, slabCapacity, &memory)
        }
        slabs = table
        slabCapacity = capacity
    }

    private static func slabTable(
        _ capacity: UInt32, _ memory: inout Memory
    ) -> UnsafeMutablePointer<Slab> {
        let byteCount = Int(capacity) * MemoryLayout<Slab>.stride
        guard byteCount <= Pool.blockByteCountMax else { return .allocate(capacity: Int(capacity)) }
        return memory.pool.take(byteCount).bindMemory(to: Slab.self, capacity: Int(capacity))
    }

    private static func freeSlabTable(
        _ table: UnsafeMutablePointer<Slab>, _ capacity: UInt32, _ memory: inout Memory
    ) {
        let byteCount = Int(capacity) * MemoryLayout<Slab>.stride
        if byteCount <= Pool.blockByteCountMax {
            memory.pool.give(UnsafeMutableRawPointer(table))
        } else {
            table.deallocate()
        }
    }

    /// Frees a slab; the bytes it had.
    @discardableResult
    mutating func freeSlab(
        _ base: UnsafeMutableRawPointer, _ memory: inout Memory
    ) -> Int {
        // Blocks of the pool never start on a chunk's boundary: their chunk's header does.
        let isChunk = Int(bitPattern: base) & (Pool.chunkByteCount - 1) == 0
        if isChunk { memory.pool.giveChunk(base) }
        let byteCount = isChunk ? Pool.chunkByteCount : memory.pool.give(base)
        allocatedByteCount -= byteCount
        memory.slabByteCount -= byteCount
        return byteCount
    }

    /// Frees slabs, large records and index segments while `budget` lasts: unmapping a chunk or a large
    /// record costs 16, giving a block back 1.
    ///
    /// - Returns: whether everything is freed.
    mutating func drop(
        _ position: inout UInt64, budget: inout Int, _ memory: inout Memory
    ) -> Bool {
        while slabCount > 0 {
            guard budget > 0 else { return false }
            slabCount -= 1
            guard let base = slabs?[Int(slabCount)].base else { continue }
            budget -= freeSlab(base, &memory) == Pool.chunkByteCount ? 16 : 1
        }
        while let header = large {
            guard budget > 0 else { return false }
            unmapLarge(header, &memory)
            budget -= 16
        }
        if let slabs {
            Self.freeSlabTable(slabs, slabCapacity, &memory)
            self.slabs = nil
        }
        return index.drop(&position, budget: &budget, &memory.pool)
    }
}
