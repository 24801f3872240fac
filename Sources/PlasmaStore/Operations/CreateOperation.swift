internal import PlasmaProtocol

/// Create, when other objects have to go first.
final class CreateOperation: Operation {
    private var search = ObjectStore.RoomSearch()

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let request = try CreateRequest(body)
        let outcome = service.createOrMakeRoom(
            request.id, request.dataByteCount, request.metadataByteCount,
            evicts: request.evictsIfFull, &search, session)
        switch outcome {
        case .created(let slot): service.answerCreate(request.id, slot, session)
        case .refused(let error):
            CreateReply(id: request.id, error: error).write(to: &session.output.bytes)
        case .needsRoom: return .more
        case .waits: return .waiting
        }
        service.endHold(session)
        return .finished
    }
}

/// CreateAndSeal: room, the bytes in slices, then the seal.
final class CreateAndSealOperation: Operation {
    private var search = ObjectStore.RoomSearch()
    private var copy: CopyProgress?

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let request = try CreateAndSealRequest(body)
        if copy == nil {
            let outcome = service.createOrMakeRoom(
                request.id, UInt64(request.data.count), UInt64(request.metadata.count),
                evicts: request.evictsIfFull, &search, session)
            switch outcome {
            case .created(let slot): copy = CopyProgress(slot: slot)
            case .refused(let error):
                service.endHold(session)
                return answer(error, session)
            case .needsRoom: return .more
            case .waits: return .waiting
            }
            service.endHold(session)
        }
        var budget = service.limits.sliceByteCountMax
        switch copy?.advance(request.data, request.metadata, &budget, service) {
        case .more: return .more
        case .finished:
            _ = service.store.seal(request.id, digest: request.digest)
            _ = service.store.release(request.id, session.number)
            return answer(nil, session)
        case .failed, nil:
            _ = service.store.release(request.id, session.number)
            return answer(.outOfMemory, session)
        }
    }

    private func answer(_ error: StoreError?, _ session: Session) -> Progress {
        StatusReply(error: error).write(.createAndSealReply, to: &session.output.bytes)
        return .finished
    }
}

/// How much of an object's bytes has been copied into place.
struct CopyProgress {
    enum Outcome { case more, finished, failed }

    let slot: UInt32
    private var done = 0

    init(slot: UInt32) { self.slot = slot }

    /// Copies as much as `budget` allows, which becomes less by as much.
    mutating func advance(
        _ data: UnsafeRawBufferPointer, _ metadata: UnsafeRawBufferPointer, _ budget: inout Int,
        _ service: StoreService
    ) -> Outcome {
        let piece = service.store.table[slot].piece
        var start = 0
        for part in [data, metadata] {
            while done < start + part.count {
                guard budget > 0 else { return .more }
                let from = done - start
                let count = min(part.count - from, budget)
                let bytes = UnsafeRawBufferPointer(rebasing: part[from..<from + count])
                guard service.store.arena.write(bytes, piece, at: done) else { return .failed }
                done += count
                budget -= count
            }
            start += part.count
        }
        return .finished
    }
}
