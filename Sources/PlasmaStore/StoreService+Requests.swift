internal import Identifiers
internal import PlasmaProtocol

extension StoreService {
    /// What carries out requests that may take more than one turn.
    func operation(_ type: MessageType) -> (any Operation)? {
        switch type {
        case .createAndSealRequest: CreateAndSealOperation()
        case .createAndSealBatchRequest: BatchOperation()
        case .createRequest: CreateOperation()
        case .getRequest: GetOperation()
        case .deleteRequest: DeleteOperation()
        case .listRequest: ListOperation()
        case .evictRequest: EvictOperation()
        case .refreshLRURequest: RefreshOperation()
        case .needsRequest: NeedsOperation()
        case .markRequest: MarkOperation()
        case .candidatesRequest: CandidatesOperation()
        case .deleteUnusedRequest: DeleteUnusedOperation()
        case .pinsRequest: PinsOperation()
        default: nil
        }
    }

    /// Answers a request that is done in one go; `false` when it needs an operation.
    func answer(
        _ type: MessageType, _ body: UnsafeRawBufferPointer, _ session: Session
    )
        throws(WireError) -> Bool
    {
        switch type {
        case .createRequest: return try create(CreateRequest(body), session)
        case .createAndSealRequest:
            return try createAndSeal(CreateAndSealRequest(body), session)
        case .getRequest: return try get(GetRequest(body), session)
        case .deleteRequest: return try delete(DeleteRequest(body), session)
        case .containsRequest:
            let id = try IDMessage(body).id
            IDNumberReply(id: id, number: store.contains(id) ? 1 : 0)
                .write(.containsReply, to: &session.output.bytes)
        case .sealRequest: try seal(SealRequest(body), session)
        case .releaseRequest:
            let id = try IDMessage(body).id
            guard store.release(id, session.number) else {
                session.failure = "released object \(id), which it does not use"
                return true
            }
        case .abortRequest:
            let message = try IDMessage(body)
            guard store.abort(message.id, session.number) else {
                session.failure = "aborted object \(message.id), which it is not creating"
                return true
            }
            message.write(.abortReply, to: &session.output.bytes)
        case .connectRequest:
            ByteCountMessage(byteCount: Int64(store.capacity))
                .write(.connectReply, to: &session.output.bytes)
        case .subscribeRequest: session.isAwaitingDescriptor = true
        case .setOptionsRequest:
            let error = setOptions(try SetOptionsRequest(body), session)
            StatusReply(error: error).write(.setOptionsReply, to: &session.output.bytes)
        case .debugStringRequest:
            DebugStringReply(text: debugString).write(to: &session.output.bytes)
        case .extensionRequest:
            _ = try ExtensionMessage(body)
            session.isExtended = true
            ExtensionMessage.write(
                .extensionReply, numbers: [StoreExtension.version], to: &session.output.bytes)
        case .usageRequest: usage.write(to: &session.output.bytes)
        case .disconnect: session.hasLeft = true
        default: return false
        }
        return true
    }

    /// Names a client and gives it a quota, unless that is 0 or less.
    private func setOptions(_ request: SetOptionsRequest, _ session: Session) -> StoreError? {
        session.name = String(
            decoding: request.name.prefix(limits.nameByteCountMax), as: UTF8.self)
        guard request.quotaByteCount > 0 else { return nil }
        let byteCount = Int(request.quotaByteCount)
        return store.setQuota(byteCount, session.number) ? nil : .outOfMemory
    }

    private func seal(_ request: SealRequest, _ session: Session) {
        let error = store.seal(request.id, digest: request.digest)
        IDNumberReply(id: request.id, number: StoreError.code(error))
            .write(.sealReply, to: &session.output.bytes)
    }

    /// Creates an object, or does a slice of making room for it, or lets it wait for others to.
    func createOrMakeRoom(
        _ id: RecordID, _ dataByteCount: UInt64, _ metadataByteCount: UInt64, evicts: Bool,
        _ search: inout ObjectStore.RoomSearch, _ session: Session
    ) -> ObjectStore.CreateOutcome {
        if !search.isUnderWay {
            let outcome = store.create(
                id, dataByteCount: dataByteCount, metadataByteCount: metadataByteCount,
                session.number, usesFallback: search.usesFallback)
            if let failure = store.arena.fallbackFailure { say(failure.description) }
            guard outcome == .needsRoom else { return outcome }
        }
        guard evicts else { return .refused(.outOfMemory) }
        let outcome = store.makeRoom(
            for: Int(dataByteCount + metadataByteCount), session.number, &search,
            countMax: limits.sliceCountMax)
        switch outcome {
        case .tryAgain, .more: return .needsRoom
        case .waiting:
            waitForExternal(session)
            return .waits
        case .impossible:
            let byteCount = Int(dataByteCount + metadataByteCount)
            if hold(session, byteCount: byteCount) { return .waits }
            guard !search.usesFallback, store.arena.fallbackByteCountMax > 0 else {
                return .refused(.outOfMemory)
            }
            search.usesFallback = true
            return .needsRoom
        }
    }

    /// Tells a client where its new object is.
    func answerCreate(_ id: RecordID, _ slot: UInt32, _ session: Session) {
        let segment = store.table[slot].piece.segment
        CreateReply(id: id, place: store.place(slot), error: nil, file: file(segment))
            .write(to: &session.output.bytes)
        sendDescriptors(1 << UInt64(segment), session)
    }

    private func file(_ segment: Int32) -> MappedFile {
        let file = store.arena.file(segment)
        return MappedFile(storeDescriptor: file.descriptor, byteCount: file.byteCount)
    }

    /// The files of the segments in `mask`, lowest first.
    func files(_ mask: UInt64) -> [MappedFile] {
        var files: [MappedFile] = []
        var rest = mask
        while rest != 0 {
            files.append(file(Int32(rest.trailingZeroBitCount)))
            rest &= rest - 1
        }
        return files
    }

    /// Sends the descriptors of those segments in `mask` that the client was not sent before.
    func sendDescriptors(_ mask: UInt64, _ session: Session) {
        let unknown = mask & ~session.knownSegments
        guard unknown != 0 else { return }
        for file in files(unknown) {
            session.output.append(descriptor: file.storeDescriptor)
        }
        session.knownSegments |= unknown
    }
}

// MARK: - Memory that nobody uses

extension StoreService {
    /// Milliseconds for which freed memory is kept for the next object.
    private static let idleMilliseconds: Int64 = 250

    /// Whether freed memory waits to be given back to the system.
    public var hasIdleMemory: Bool {
        store.arena.hasIdleMemory || !trash.isEmpty || store.table.isWorthFreeing
            || store.links.isWorthFreeing || store.arena.isWorthFreeing
    }

    /// Gives freed memory back to the system, in slices.
    ///
    /// - Returns: whether there is more to do at once.
    public func giveBackMemory(while hasTime: () -> Bool) -> Bool {
        let limit = StoreTime(
            unixSeconds: 0,
            monotonicMilliseconds: time.monotonicMilliseconds - Self.idleMilliseconds)
        while store.arena.giveBack(before: limit.tick) {
            guard hasTime() else { return true }
        }
        while store.table.freeChunk() || store.links.freeChunk() || store.arena.freeChunk()
            || trash.freePiece()
        {
            guard hasTime() else { return true }
        }
        return false
    }
}
