internal import PlasmaProtocol

/// CreateAndSealBatch: every object is created, then filled, then sealed; or all are given up.
final class BatchOperation: Operation {
    private enum Phase { case measure, room, create, copy, seal, undo(StoreError) }

    private var phase = Phase.measure
    private var position = 0
    private var createdCount = 0
    private var byteCount = 0
    private var search = ObjectStore.RoomSearch()
    private var copy: CopyProgress?

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let request = try CreateAndSealBatchRequest(body)
        try service.check(request.ids)
        switch phase {
        case .measure: try measure(request, session, service)
        case .room: if makeRoom(session, service) { return .waiting }
        case .create: if try create(request, session, service) { return .waiting }
        case .copy: try copy(request, service)
        case .seal: if try seal(request, session, service) { return answer(nil, session) }
        case .undo(let error):
            if try undo(request, session, service) { return answer(error, session) }
        }
        if case .seal = phase, request.ids.count == 0 { return answer(nil, session) }
        return .more
    }

    private func answer(_ error: StoreError?, _ session: Session) -> Progress {
        StatusReply(error: error).write(.createAndSealBatchReply, to: &session.output.bytes)
        return .finished
    }

    private func enter(_ next: Phase) {
        phase = next
        position = 0
    }

    /// The entries of this slice.
    private func slice(_ count: Int, _ service: StoreService) -> Range<Int> {
        position..<min(count, position + service.limits.sliceCountMax)
    }

    /// Adds up sizes and reads every id and digest: nothing is made of a message that is broken.
    private func measure(
        _ request: CreateAndSealBatchRequest, _ session: Session, _ service: StoreService
    )
        throws(WireError)
    {
        for index in slice(request.ids.count, service) {
            _ = try request.ids.id(at: index)
            _ = try request.digest(at: index)
            byteCount += try request.data.bytes(at: index).count
            byteCount += try request.metadata.bytes(at: index).count
            position += 1
        }
        guard position == request.ids.count else { return }
        let account = service.store.account(for: byteCount, session.number)
        if service.store.hasRoom(for: byteCount, in: account ?? Account.shared) {
            enter(.create)
        } else if request.evictsIfFull {
            enter(.room)
        } else {
            enter(.undo(.outOfMemory))
        }
    }

    /// Makes room for all of them at once; says whether to wait for it.
    private func makeRoom(_ session: Session, _ service: StoreService) -> Bool {
        let account = service.store.account(for: byteCount, session.number) ?? Account.shared
        if !search.isUnderWay, service.store.hasRoom(for: byteCount, in: account) {
            service.endHold(session)
            enter(.create)
            return false
        }
        let outcome = service.store.makeRoom(
            for: byteCount, session.number, &search, countMax: service.limits.sliceCountMax)
        switch outcome {
        case .tryAgain: enter(.create)
        case .more: break
        case .waiting:
            service.waitForExternal(session)
            return true
        case .impossible:
            if service.hold(session, byteCount: byteCount) { return true }
            // One by one some may fit into the fallback file.
            let hasFallback = service.store.arena.fallbackByteCountMax > 0
            enter(hasFallback ? .create : .undo(.outOfMemory))
        }
        service.endHold(session)
        return false
    }

    /// Creates a slice; says whether to wait.
    private func create(
        _ request: CreateAndSealBatchRequest, _ session: Session, _ service: StoreService
    ) throws(WireError) -> Bool {
        for index in slice(request.ids.count, service) {
            let outcome = service.createOrMakeRoom(
                try request.ids.id(at: index), UInt64(try request.data.bytes(at: index).count),
                UInt64(try request.metadata.bytes(at: index).count),
                evicts: request.evictsIfFull, &search, session)
            switch outcome {
            case .created:
                position += 1
                service.endHold(session)
            case .needsRoom: return false
            case .waits: return true
            case .refused(let error):
                service.endHold(session)
                enter(.undo(error))
                return false
            }
            createdCount = position
        }
        if position == request.ids.count { enter(.copy) }
        return false
    }

    private func copy(
        _ request: CreateAndSealBatchRequest, _ service: StoreService
    )
        throws(WireError)
    {
        var budget = service.limits.sliceByteCountMax
        for index in slice(request.ids.count, service) {
            if copy == nil {
                copy = CopyProgress(slot: service.store.find(try request.ids.id(at: index)))
            }
            let data = try request.data.bytes(at: index)
            let metadata = try request.metadata.bytes(at: index)
            switch copy?.advance(data, metadata, &budget, service) {
            case .finished: copy = nil
            case .more: return
            case .failed, nil: return enter(.undo(.outOfMemory))
            }
            position += 1
        }
        if position == request.ids.count { enter(.seal) }
    }

    /// Seals a slice; one notification tells of all of it.
    private func seal(
        _ request: CreateAndSealBatchRequest, _ session: Session, _ service: StoreService
    ) throws(WireError) -> Bool {
        for index in slice(request.ids.count, service) {
            let id = try request.ids.id(at: index)
            _ = service.store.seal(id, digest: try request.digest(at: index))
            _ = service.store.release(id, session.number)
            position += 1
        }
        return position == request.ids.count
    }

    private func undo(
        _ request: CreateAndSealBatchRequest, _ session: Session, _ service: StoreService
    ) throws(WireError) -> Bool {
        for index in slice(createdCount, service) {
            _ = service.store.abort(try request.ids.id(at: index), session.number)
            position += 1
        }
        return position == createdCount
    }
}
