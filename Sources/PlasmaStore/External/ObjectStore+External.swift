internal import Identifiers

// MARK: - Out of memory

extension ObjectStore {
    /// Takes an object that nobody uses out of memory: at once when a file has it from before,
    /// otherwise once it is written.
    mutating func moveOut(_ slot: UInt32) {
        removeEvictable(slot)
        guard table[slot].storedFile == 0 else { return finishMoveOut(slot) }
        guard let file = external?.append(entry(slot)) else { return }
        table[slot].outgoing = file
        accounts[owner(slot)].leavingByteCount += table.byteCount(slot)
    }

    /// Objects of a file that was written leave memory, unless they are in use again.
    ///
    /// - Parameter range: those of its objects that are noted now.
    mutating func written(_ file: UInt32, _ offsets: [Int], _ range: Range<Int>) {
        guard let entries = external?.entries(of: file), entries.count == offsets.count else {
            return
        }
        // All of them at first: while some are not noted, the file is not to go.
        if range.lowerBound == 0 { external?.keep(file, entries) }
        for index in range {
            let (entry, offset) = (entries[index], offsets[index])
            guard let slot = stopLeaving(entry, file) else {
                external?.forget(file, offset: offset, byteCount: entry.source.byteCount)
                continue
            }
            table[slot].storedFile = file
            table[slot].storedOffset = offset
            if table[slot].userCount == 0 { finishMoveOut(slot) }
        }
        if range.upperBound == entries.count { external?.finish(file) }
    }

    /// Objects of a file that could not be written stay, the oldest first to go the next time.
    ///
    /// - Parameter position: how many of them are noted already, the newest first.
    /// - Returns: how many are noted now, and how many there are.
    mutating func notWritten(
        _ file: UInt32, _ position: Int, countMax: Int
    ) -> (noted: Int, of: Int) {
        guard let entries = external?.entries(of: file) else { return (0, 0) }
        if position == 0 { external?.failed() }
        let end = min(entries.count, position + countMax)
        for index in position..<end {
            let entry = entries[entries.count - 1 - index]
            guard let slot = stopLeaving(entry, file) else { continue }
            evictedCount -= 1
            uses.evictedByteCount -= entry.source.byteCount
            if table[slot].userCount == 0 { insertOldest(slot) }
        }
        if end == entries.count { external?.finish(file) }
        return (end - position, entries.count)
    }

    /// The object of an entry, no longer on its way out; `nil` when it was deleted meanwhile, and
    /// its memory is free now.
    private mutating func stopLeaving(_ entry: ExternalEntry, _ file: UInt32) -> UInt32? {
        let slot = table.find(entry.id)
        guard slot != 0, table[slot].outgoing == file else {
            arena.free(entry.piece, byteCount: entry.source.byteCount, now: time.tick)
            external?.orphanFreed()
            removalCount += 1
            return nil
        }
        table[slot].outgoing = 0
        accounts[owner(slot)].leavingByteCount -= entry.source.byteCount
        return slot
    }

    private mutating func finishMoveOut(_ slot: UInt32) {
        giveUpMemory(slot)
        table[slot].state = .evicted
        external?.objectCount += 1
        external?.byteCount += table.byteCount(slot)
        notifications.move(table[slot].info, isOut: true)
    }

    /// An object is gone, or no longer only in the external store.
    mutating func forgetStored(_ slot: UInt32) {
        let record = table[slot]
        if record.state == .evicted {
            external?.objectCount -= 1
            external?.byteCount -= record.byteCount
        }
        external?.forget(
            record.storedFile, offset: record.storedOffset, byteCount: record.byteCount)
        table[slot].storedFile = 0
    }

    private func entry(_ slot: UInt32) -> ExternalEntry {
        let record = table[slot]
        let address = arena.address(record.piece).map { UInt(bitPattern: $0) } ?? 0
        return ExternalEntry(
            id: record.id, dataByteCount: record.dataByteCount,
            metadataByteCount: record.metadataByteCount,
            source: ObjectSource(
                address: address, descriptor: arena.file(record.piece.segment).descriptor,
                offset: record.piece.offset, byteCount: record.byteCount),
            piece: record.piece)
    }
}

// MARK: - Back into memory

extension ObjectStore {
    /// Starts to bring an object back; `false` when there is no room for it now.
    mutating func startRestore(_ slot: UInt32, usesFallback: Bool) -> Bool {
        let byteCount = table.byteCount(slot)
        guard
            let (piece, number) = takePiece(
                byteCount, Account.shared, usesFallback: usesFallback)
        else { return false }
        table[slot].piece = piece
        table[slot].state = .restoring
        external?.objectCount -= 1
        external?.byteCount -= byteCount
        charge(slot, to: number)
        external?.read(
            entry(slot), file: table[slot].storedFile, offset: table[slot].storedOffset)
        return true
    }

    /// An object is back: who waits for it uses it now.
    mutating func restored(_ id: RecordID) {
        external?.readFinished()
        let slot = table.find(id)
        guard slot != 0, table[slot].state == .restoring else { return }
        table[slot].state = .sealed
        external?.restoredCount += 1
        external?.restoredByteCount += table.byteCount(slot)
        notifications.move(table[slot].info, isOut: false)
        satisfyWaits(slot)
        guard table[slot].userCount == 0 else { return }
        if table[slot].isDoomed { remove(slot, isTold: true) } else { insertEvictable(slot) }
    }

    /// An object could not be brought back: who waits for it goes on without it.
    ///
    /// - Parameter isLost: whether it is gone for good; otherwise the next Get tries again.
    mutating func notRestored(_ id: RecordID, isLost: Bool) {
        external?.readFinished()
        external?.failed()
        let slot = table.find(id)
        guard slot != 0, table[slot].state == .restoring else { return }
        giveUpMemory(slot)
        table[slot].state = .evicted
        external?.objectCount += 1
        external?.byteCount += table.byteCount(slot)
        failWaits(slot)
        if isLost || table[slot].isDoomed { remove(slot, isTold: true) }
    }
}
