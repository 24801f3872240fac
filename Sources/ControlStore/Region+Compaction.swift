internal import Glibc

/// Overwriting leaves garbage; the emptiest slab is evacuated, a few records with each write.
extension Region {
    /// Whether a third of the memory is garbage, or a slab is half evacuated.
    @inline(__always)
    var needsCompaction: Bool {
        let garbage = allocatedByteCount &- liveByteCount
        return garbage >= 4096 && garbage &* 3 > allocatedByteCount || evacuated != none
    }

    /// Moves one record out of the emptiest slab, and frees the slab after its last.
    ///
    /// - Returns: the record's old and new reference; `nil` when none was moved this time.
    @inline(never)
    mutating func moveOne(_ memory: inout Memory) -> (old: UInt32, new: UInt32)? {
        if evacuated == none {
            guard let emptiest = emptiestSlab() else { return nil }
            evacuated = emptiest
            evacuationOffset = 0
        }
        let victim = Int(evacuated)
        guard let slab = slabs?[victim], let base = slab.base else { return nil }
        for _ in 0..<16 {
            guard evacuationOffset < slab.usedByteCount, slabs?[victim].liveByteCount ?? 0 > 0
            else {
                slabs?[victim].base = nil
                freeNumberCount += 1
                freeSlab(base, &memory)
                evacuated = none
                return nil
            }
            let old = base + Int(evacuationOffset)
            let reference = evacuated << 17 | evacuationOffset >> 3
            let size = Self.byteCount(meta: Self.meta(old))
            evacuationOffset += UInt32(size)
            guard
                let place = index.find(
                    hash(key(of: old), memory.seeds), isMatch: { $0 == reference })
            else { continue }
            let target = allocate(size, &memory)
            memcpy(entry(target), old, size)
            place.pointee = target
            liveByteCount -= size
            slabs?[victim].liveByteCount -= UInt32(size)
            return (reference, target)
        }
        return nil
    }

    /// The slab with the smallest live share, if evacuating it frees at least a quarter of it.
    private func emptiestSlab() -> UInt32? {
        guard let slabs else { return nil }
        var best: UInt32?
        var bestShare: UInt64 = 768
        for number in 0..<slabCount where number != current {
            let slab = slabs[Int(number)]
            guard slab.base != nil, slab.usedByteCount > 0, !slab.isFlushing else { continue }
            let share = UInt64(slab.liveByteCount) << 10 / UInt64(slab.usedByteCount)
            if share < bestShare {
                bestShare = share
                best = number
            }
        }
        return best
    }
}
