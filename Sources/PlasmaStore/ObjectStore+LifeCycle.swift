internal import Identifiers
internal import PlasmaProtocol

extension ObjectStore {
    /// What came of an attempt to create an object.
    enum CreateOutcome: Equatable {
        case created(UInt32)
        case refused(StoreError)
        /// It would fit if something else went.
        case needsRoom
        /// The node manager is making room.
        case waits
    }

    /// Makes an unsealed object that `session` uses.
    mutating func create(
        _ id: RecordID, dataByteCount: UInt64, metadataByteCount: UInt64, _ session: UInt32
    ) -> CreateOutcome {
        var slot = table.find(id)
        if slot != 0, table[slot].isPresent { return .refused(.objectExists) }
        let (sum, isTooMuch) = dataByteCount.addingReportingOverflow(metadataByteCount)
        guard !isTooMuch, sum <= UInt64(capacity) else { return .refused(.outOfMemory) }
        guard usedByteCount + Int(sum) <= capacity, let piece = arena.allocate(Int(sum)) else {
            return .needsRoom
        }
        if slot == 0 { slot = table.insert(id, .created) }
        table[slot].state = .created
        table[slot].dataByteCount = Int(dataByteCount)
        table[slot].metadataByteCount = Int(metadataByteCount)
        table[slot].piece = piece
        table[slot].creator = session
        table[slot].createdSeconds = time.unixSeconds
        table[slot].constructSeconds = -1
        order += 1
        table[slot].createdOrder = order
        usedByteCount += Int(sum)
        objectCount += 1
        use(slot, session)
        return .created(slot)
    }

    /// Completes an object: subscribers hear of it, sessions that wait for it use it from now on.
    mutating func seal(_ id: RecordID, digest: UInt64) -> StoreError? {
        let slot = find(id)
        guard slot != 0 else { return .objectNotFound }
        guard table[slot].state == .created else { return .objectExists }
        table[slot].state = .sealed
        table[slot].digest = digest
        table[slot].constructSeconds = max(0, time.unixSeconds - table[slot].createdSeconds)
        order += 1
        table[slot].sealedOrder = order
        sealedCount += 1
        notifications.add(table[slot].info)
        satisfyWaits(slot)
        return nil
    }

    /// Gives up an unsealed object; `false` when `session` did not create it.
    mutating func abort(_ id: RecordID, _ session: UInt32) -> Bool {
        let slot = find(id)
        guard slot != 0, table[slot].state == .created, table[slot].creator == session,
            let link = linkOfUser(slot, session)
        else { return false }
        removeUse(link)
        return true
    }

    /// Removes an object, now or once its last user releases it; `nil` means now.
    mutating func delete(_ id: RecordID) -> StoreError? {
        let slot = find(id)
        guard slot != 0 else { return .objectNotFound }
        if table[slot].userCount > 0 {
            table[slot].isDoomed = true
            return table[slot].state == .sealed ? .objectInUse : .objectNotSealed
        }
        remove(slot, isTold: true)
        return nil
    }

    /// Where an object is, as clients are told.
    func place(_ slot: UInt32) -> ObjectPlace {
        let record = table[slot]
        let offset = UInt64(record.piece.offset)
        return ObjectPlace(
            storeDescriptor: arena.file(record.piece.segment).descriptor,
            dataOffset: offset, dataByteCount: UInt64(record.dataByteCount),
            metadataOffset: offset + UInt64(record.dataByteCount),
            metadataByteCount: UInt64(record.metadataByteCount))
    }
}

// MARK: - Making room

extension ObjectStore {
    /// How far making room for one object has come.
    struct RoomSearch: Equatable {
        /// Bytes to free before trying again; 0 before the first slice.
        var goal = 0
        var freed = 0
    }

    /// What a slice of making room came to.
    enum RoomOutcome: Equatable {
        /// Enough went: worth trying again.
        case tryAgain
        /// Another slice is needed.
        case more
        /// What is in use leaves no room; nothing more was removed.
        case impossible
    }

    /// Removes least recently used objects: at least what is missing, and at least a fifth of the
    /// capacity, so that a full store does not do this for every object.
    ///
    /// Removes nothing when the object would not fit beside those in use, where Arrow's store
    /// removes everything first and refuses then.
    mutating func makeRoom(
        for byteCount: Int, _ search: inout RoomSearch, countMax: Int
    ) -> RoomOutcome {
        if search.goal == 0 {
            let missing = usedByteCount + byteCount - capacity
            guard missing <= evictableByteCount, nextToEvict != 0 else { return .impossible }
            search = RoomSearch(goal: max(missing, capacity / 5, 1))
        }
        for _ in 0..<countMax {
            guard search.freed < search.goal, let freed = evictOldest() else {
                search = RoomSearch()
                return .tryAgain
            }
            search.freed += freed
        }
        return .more
    }
}
