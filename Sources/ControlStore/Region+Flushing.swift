internal import Glibc

extension Region {
    /// Ends the slab that is being filled; the next record starts another.
    mutating func endSlab() {
        guard limit > 0 else { return }
        slabs?[Int(current)].usedByteCount = offset
        (offset, limit, current) = (0, 0, none)
    }

    /// Frees a slab without live records.
    mutating func releaseSlab(_ number: UInt32, _ memory: inout Memory) {
        guard let base = slabs?[Int(number)].base else { return }
        slabs?[Int(number)].base = nil
        slabs?[Int(number)].isFlushing = false
        freeNumberCount += 1
        freeSlab(base, &memory)
    }

    /// Removes a record; the one that was added last leaves no garbage.
    mutating func removeNewest(_ key: RecordKey, _ memory: inout Memory) {
        guard let place = find(key, memory.seeds) else { return }
        let reference = place.pointee
        let size = UInt32(Self.byteCount(meta: Self.meta(entry(reference))))
        remove(key, &memory)
        if limit > 0, reference >> 17 == current, (reference & 0x1ffff) << 3 + size == offset {
            offset -= size
        }
    }

    /// What was done with the next entry of a slab.
    enum Move {
        /// It is elsewhere now.
        case moved(to: UInt32)
        /// It was not live.
        case passed
        /// There is none.
        case none
    }

    /// Moves the next record of a slab elsewhere, if it is live.
    mutating func moveNext(
        of number: UInt32, from offset: inout UInt32, _ memory: inout Memory
    ) -> Move {
        guard let slab = slabs?[Int(number)], let base = slab.base,
            offset < slab.usedByteCount, slab.liveByteCount > 0
        else { return .none }
        let old = base + Int(offset)
        let reference = number << 17 | offset >> 3
        let size = Self.byteCount(meta: Self.meta(old))
        offset += UInt32(size)
        guard
            let place = index.find(hash(key(of: old), memory.seeds), isMatch: { $0 == reference })
        else { return .passed }
        let target = allocate(size, &memory)
        memcpy(entry(target), old, size)
        place.pointee = target
        liveByteCount -= size
        slabs?[Int(number)].liveByteCount -= UInt32(size)
        return .moved(to: target)
    }
}
