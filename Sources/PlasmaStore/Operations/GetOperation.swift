internal import PlasmaProtocol

/// Get: uses what is there, waits for the rest, tells where everything is.
final class GetOperation: Operation {
    private enum Phase { case use, wait, stopWaiting, waitForRestores, answer }

    private var phase = Phase.use
    private var position = 0
    private var missingCount = 0
    /// Objects that have to come back from the external store.
    private var restoreCount = 0
    private var writer: GetReplyWriter?

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let request = try GetRequest(body)
        try service.check(request.ids)
        if phase == .use { try use(request, session, service) }
        if phase == .wait { wait(session, service) }
        if phase == .wait { return .waiting }
        if phase == .stopWaiting {
            guard try stopWaiting(request, session, service) else { return .more }
        }
        if phase == .waitForRestores {
            guard service.store.sessions[Int(session.number)].waitCount == 0 else {
                return .waiting
            }
            phase = .answer
        }
        guard phase == .answer else { return .more }
        return try answer(request, session, service)
    }

    private func use(
        _ request: GetRequest, _ session: Session, _ service: StoreService
    )
        throws(WireError)
    {
        let end = min(request.ids.count, position + service.limits.sliceCountMax)
        while position < end {
            let id = try request.ids.id(at: position)
            let slot = service.store.find(id)
            if slot != 0, service.store.table[slot].state == .sealed {
                service.store.use(slot, session.number)
            } else if slot != 0, service.store.table[slot].state.isSealed {
                service.store.wait(id, session.number)
                service.restore(slot)
                restoreCount += 1
            } else {
                missingCount += 1
                if request.timeoutMilliseconds != 0 { service.store.wait(id, session.number) }
            }
            position += 1
        }
        guard position == request.ids.count else { return }
        position = 0
        guard missingCount > 0, request.timeoutMilliseconds != 0 else {
            // The time-out is for objects that are not there; one on a disk is there.
            phase = restoreCount > 0 ? .waitForRestores : .answer
            return
        }
        phase = .wait
        guard request.timeoutMilliseconds > 0 else { return }
        let now = service.store.time.monotonicMilliseconds
        let (sum, isTooMuch) = now.addingReportingOverflow(request.timeoutMilliseconds)
        session.deadline = isTooMuch ? nil : sum
    }

    private func wait(_ session: Session, _ service: StoreService) {
        if service.store.sessions[Int(session.number)].waitCount == 0 {
            phase = .answer
        } else if let deadline = session.deadline,
            deadline <= service.store.time.monotonicMilliseconds
        {
            phase = .stopWaiting
        }
        if phase != .wait { session.deadline = nil }
    }

    /// Ends a slice of the waits for objects that did not come in time.
    ///
    /// - Returns: whether it was the last.
    private func stopWaiting(
        _ request: GetRequest, _ session: Session, _ service: StoreService
    ) throws(WireError) -> Bool {
        let end = min(request.ids.count, position + service.limits.sliceCountMax)
        while position < end {
            service.store.stopWaiting(try request.ids.id(at: position), session.number)
            position += 1
        }
        guard position == request.ids.count else { return false }
        position = 0
        phase = .waitForRestores
        return true
    }

    private func answer(
        _ request: GetRequest, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        var writer = self.writer.take() ?? GetReplyWriter(count: request.ids.count)
        let end = min(request.ids.count, position + service.limits.sliceCountMax)
        while position < end {
            service.takePlace(try request.ids.id(at: position), &writer, session)
            position += 1
        }
        guard position == request.ids.count else {
            self.writer = consume writer
            return .more
        }
        let segments = writer.segments
        let files = service.files(segments)
        session.output.append(writer.finish(files: files))
        service.sendDescriptors(segments, session)
        return .finished
    }
}
