internal import Identifiers
internal import PlasmaProtocol

extension ObjectStore {
    /// What came of an attempt to create an object.
    enum CreateOutcome: Equatable {
        case created(UInt32)
        case refused(StoreError)
        /// It would fit if something else went.
        case needsRoom
        /// The node manager is making room, or objects are being written to the external store.
        case waits
    }

    /// Makes an unsealed object that `session` uses.
    ///
    /// - Parameter usesFallback: whether it may lie in the fallback file when memory has no room.
    mutating func create(
        _ id: RecordID, dataByteCount: UInt64, metadataByteCount: UInt64, _ session: UInt32,
        usesFallback: Bool = false
    ) -> CreateOutcome {
        let outcome = allocate(
            id, dataByteCount, metadataByteCount, session, usesFallback: usesFallback)
        if case .created(let slot) = outcome { use(slot, session) }
        return outcome
    }

    /// Makes a whole object that nobody uses.
    mutating func insert(_ request: CreateAndSealRequest, _ session: UInt32) -> CreateOutcome {
        let outcome = allocate(
            request.id, UInt64(request.data.count), UInt64(request.metadata.count), session,
            usesFallback: false)
        guard case .created(let slot) = outcome else { return outcome }
        let piece = table[slot].piece
        guard arena.write(request.data, piece, at: 0),
            arena.write(request.metadata, piece, at: request.data.count)
        else {
            remove(slot, isTold: false)
            return .refused(.outOfMemory)
        }
        complete(slot, digest: request.digest)
        if table[slot].userCount == 0 { insertEvictable(slot) }
        return outcome
    }

    /// Makes an unsealed object that nobody uses yet.
    private mutating func allocate(
        _ id: RecordID, _ dataByteCount: UInt64, _ metadataByteCount: UInt64, _ session: UInt32,
        usesFallback: Bool
    ) -> CreateOutcome {
        var slot = table.find(id)
        if slot != 0, table[slot].state.isPresent { return .refused(.objectExists) }
        let (sum, isTooMuch) = dataByteCount.addingReportingOverflow(metadataByteCount)
        guard !isTooMuch, sum <= UInt64(capacity) else { return .refused(.outOfMemory) }
        let byteCount = Int(sum)
        guard let wanted = account(for: byteCount, session) else { return .refused(.outOfMemory) }
        guard let (piece, number) = takePiece(byteCount, wanted, usesFallback: usesFallback) else {
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
        charge(slot, to: number)
        objectCount += 1
        return .created(slot)
    }

    /// Memory for an object in a share, or else, if that is allowed, in the fallback file.
    ///
    /// - Returns: where it is, and the share that it is to be counted in; `nil` without room.
    @inline(__always)
    mutating func takePiece(
        _ byteCount: Int, _ wanted: Int, usesFallback: Bool
    ) -> (piece: Arena.Piece, account: Int)? {
        if hasRoom(for: byteCount, in: wanted), let piece = arena.allocate(byteCount) {
            return (piece, wanted)
        }
        guard usesFallback, hasRoom(for: byteCount, in: Account.fallback),
            let piece = arena.allocateFallback(byteCount)
        else { return nil }
        fallbackCount += 1
        return (piece, Account.fallback)
    }

    /// Completes an object: subscribers hear of it, sessions that wait for it use it from now on.
    mutating func seal(_ id: RecordID, digest: UInt64) -> StoreError? {
        let slot = find(id)
        guard slot != 0 else { return .objectNotFound }
        guard table[slot].state == .created else { return .objectExists }
        complete(slot, digest: digest)
        return nil
    }

    private mutating func complete(_ slot: UInt32, digest: UInt64) {
        table[slot].state = .sealed
        table[slot].digest = digest
        table[slot].constructSeconds = max(0, time.unixSeconds - table[slot].createdSeconds)
        order += 1
        table[slot].sealedOrder = order
        sealedCount += 1
        if notifications.isRecording { notifications.add(table[slot].info) }
        satisfyWaits(slot)
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
        if table[slot].userCount > 0 || table[slot].state == .restoring {
            table[slot].isDoomed = true
            return table[slot].state.isSealed ? .objectInUse : .objectNotSealed
        }
        remove(slot, isTold: true)
        return nil
    }

    /// Where an object is, as clients are told.
    @inline(__always)
    func place(_ slot: UInt32) -> ObjectPlace {
        let piece = table[slot].piece
        let offset = UInt64(piece.offset)
        let dataByteCount = UInt64(table[slot].dataByteCount)
        return ObjectPlace(
            storeDescriptor: arena.file(piece.segment).descriptor, dataOffset: offset,
            dataByteCount: dataByteCount, metadataOffset: offset + dataByteCount,
            metadataByteCount: UInt64(table[slot].metadataByteCount))
    }
}
