internal import Identifiers
internal import PlasmaProtocol

/// Needs: answered when the store needs something of its node manager, or when time is up.
final class NeedsOperation: Operation {
    /// Ids in one reply.
    private static let idCountMax = 4096

    private var isStarted = false
    /// The next slot to look at for objects that were awaited before; `nil` when that is done.
    private var slot: Int?
    private var awaited: [RecordID] = []

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let request = try NeedsRequest(body)
        if !isStarted, !start(request, session, service) { return .waiting }
        if slot != nil, look(service) { return .more }
        let now = service.time.monotonicMilliseconds
        guard !awaited.isEmpty || service.isNews(for: request) || isLate(session, now) else {
            service.spilling.request = request
            return .waiting
        }
        service.spilling.request = nil
        session.deadline = nil
        answer(session, service)
        return .finished
    }

    private func isLate(_ session: Session, _ now: Int64) -> Bool {
        session.deadline.map { $0 <= now } ?? true
    }

    /// Notes who the node manager is; one that is new gets all that is awaited now.
    ///
    /// - Returns: `false` for a second one, which has to go.
    private func start(
        _ request: NeedsRequest, _ session: Session, _ service: StoreService
    ) -> Bool {
        if let manager = service.spilling.manager, manager !== session, !manager.isFinished {
            session.failure =
                "asked for needs, which process \(manager.processID) does already: a store has one "
                + "node manager"
            return false
        }
        isStarted = true
        service.spilling.guardEnd = .max
        service.spilling.graceMilliseconds = min(
            max(0, request.graceMilliseconds), service.limits.graceMillisecondsMax)
        service.store.guardsPrimaries = true
        if service.spilling.manager !== session || service.store.needs.isOverfull {
            service.spilling.manager = session
            service.store.needs = AwaitedObjects()
            service.store.needs.isWanted = true
            slot = 1
        }
        let now = service.time.monotonicMilliseconds
        session.deadline = now + min(max(0, request.waitMilliseconds), 1 << 40)
        return true
    }

    /// Looks at a slice of all records; `true` when there are more.
    private func look(_ service: StoreService) -> Bool {
        guard let first = slot else { return false }
        let end = min(first + service.limits.sliceCountMax, service.store.table.slotCount + 1)
        for slot in first..<max(end, first)
        where service.store.table[UInt32(slot)].state == .awaited {
            awaited.append(service.store.table[UInt32(slot)].id)
        }
        slot = end > service.store.table.slotCount ? nil : end
        return slot != nil
    }

    private func answer(_ session: Session, _ service: StoreService) {
        var reply = NeedsReply()
        reply.capacity = Int64(service.store.capacity)
        reply.usedByteCount = Int64(service.store.usedByteCount)
        reply.primaryByteCount = Int64(
            service.store.usedByteCount - service.store.secondaryByteCount)
        reply.spillableByteCount = Int64(service.store.primaries.byteCount)
        reply.evictableByteCount = Int64(service.store.secondaries.byteCount)
        reply.heldByteCount = Int64(service.spilling.heldByteCount)
        reply.heldOrder = service.spilling.heldOrder
        reply.awaited = awaited + service.store.needs.take(Self.idCountMax)
        reply.write(to: &session.output.bytes)
    }
}

/// Candidates: the client uses the primary copies that nobody used for longest, and is told which.
final class CandidatesOperation: Operation {
    private var candidates: [SpillCandidate] = []
    private var byteCount: Int64 = 0

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let request = try CandidatesRequest(body)
        let countMax = Int64(service.limits.idCountMax)
        let left = min(request.countMax, countMax) - Int64(candidates.count)
        let slice = min(left, Int64(service.limits.sliceCountMax))
        let slots = service.store.takeOldestPrimaries(
            session.number, countMax: Int(max(0, slice)),
            byteCountMax: Int(clamping: max(0, request.byteCountMax - byteCount)))
        for slot in slots {
            let record = service.store.table[slot]
            candidates.append(
                SpillCandidate(
                    id: record.id, dataByteCount: Int64(record.dataByteCount),
                    metadataByteCount: Int64(record.metadataByteCount), digest: record.digest))
            byteCount += Int64(record.byteCount)
        }
        guard slots.isEmpty || slots.count == left || byteCount >= request.byteCountMax else {
            return .more
        }
        CandidatesReply.write(candidates, to: &session.output.bytes)
        return .finished
    }
}

/// Mark: objects become secondary copies (number 1) or primary ones (0).
final class MarkOperation: Operation {
    private var position = 0
    private var count: Int64 = 0

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let message = try ExtensionMessage(body)
        try service.check(message.ids)
        let isSecondary = try message.number(0) != 0
        let end = min(message.ids.count, position + service.limits.sliceCountMax)
        while position < end {
            let id = try message.ids.id(at: position)
            if service.store.mark(id, isSecondary: isSecondary) { count += 1 }
            position += 1
        }
        guard position == message.ids.count else { return .more }
        ExtensionMessage.write(.markReply, numbers: [count], to: &session.output.bytes)
        return .finished
    }
}

/// DeleteUnused: removes what nobody else uses; one outcome per id, as Delete's.
final class DeleteUnusedOperation: Operation {
    private var outcomes: [Int64] = []

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let message = try ExtensionMessage(body)
        try service.check(message.ids)
        let end = min(message.ids.count, outcomes.count + service.limits.sliceCountMax)
        while outcomes.count < end {
            let id = try message.ids.id(at: outcomes.count)
            let error = service.store.deleteUnused(id, session.number)
            outcomes.append(Int64(StoreError.code(error)))
        }
        service.spilling.roomAt = service.time.monotonicMilliseconds
        guard outcomes.count == message.ids.count else { return .more }
        ExtensionMessage.write(.deleteUnusedReply, numbers: outcomes, to: &session.output.bytes)
        return .finished
    }
}
