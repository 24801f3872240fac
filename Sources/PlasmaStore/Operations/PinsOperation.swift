internal import Identifiers
internal import PlasmaProtocol

/// Pins: who uses which object, as far as it changed since the last answer.
final class PinsOperation: Operation {
    private var reply = PinsReply()
    private var isStarted = false
    /// Processes told of, in all rows.
    private var processCount = 0

    /// Processes after which an answer ends: a row has at most as many as there are sessions.
    private static let processCountMax = 4096
    /// Objects of an answer at most, whatever was asked for.
    private static let rowCountMax = 4096

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let request = try PinsRequest(body)
        if !isStarted { start(request, service) }
        let countMax = min(max(1, Int(clamping: request.countMax)), Self.rowCountMax)
        var budget = service.limits.sliceCountMax
        while reply.rows.count < countMax, processCount < Self.processCountMax,
            !service.store.pinChanges.isEmpty
        {
            guard budget > 0 else { return .more }
            budget -= 1
            tellNext(session, service)
        }
        reply.sequence = service.store.pinChanges.advance()
        reply.hasMore = !service.store.pinChanges.isEmpty
        reply.write(to: &session.output.bytes)
        return .finished
    }

    private func start(_ request: PinsRequest, _ service: StoreService) {
        isStarted = true
        let sequence = service.store.pinChanges.sequence
        let goesOn = service.store.pinChanges.isWanted && request.sequence == sequence
        guard !goesOn || sequence == 0 else { return }
        service.store.pinChanges.begin()
        reply.isAnew = true
    }

    /// Tells one thing: removed objects first, so that one that came again is told after them.
    private func tellNext(_ session: Session, _ service: StoreService) {
        if let id = service.store.pinChanges.takeGone() {
            reply.rows.append(PinsReply.Row(id: id, byteCount: 0, processes: []))
        } else if let slot = service.store.pinChanges.nextSlot {
            let isLast = Int(slot) >= service.store.table.slotCount
            service.store.pinChanges.nextSlot = isLast ? nil : slot + 1
            guard Int(slot) <= service.store.table.slotCount else { return }
            // Whatever was told to somebody before is told anew or not at all.
            service.store.table[slot].isPinTold = false
            tell(slot, session, service)
        } else if let slot = service.store.pinChanges.takeChanged(),
            Int(slot) <= service.store.table.slotCount,
            service.store.table[slot].isPinChanged
        {
            tell(slot, session, service)
        }
    }

    private func tell(_ slot: UInt32, _ session: Session, _ service: StoreService) {
        service.store.table[slot].isPinChanged = false
        guard service.store.table[slot].state.isPresent else { return }
        let record = service.store.table[slot]
        var processes: [Int32] = []
        for user in service.store.users(of: slot) {
            guard let process = service.sessions[Int(user)]?.processID,
                process != session.processID || process == 0
            else { continue }
            processes.append(process)
        }
        if processes.count > 1 { processes = Array(Set(processes)) }
        // That nobody uses it is news only to those who were told otherwise.
        guard !processes.isEmpty || record.isPinTold else { return }
        service.store.table[slot].isPinTold = !processes.isEmpty
        processCount += processes.count
        reply.rows.append(
            PinsReply.Row(
                id: record.id, byteCount: Int64(record.byteCount), processes: processes))
    }
}
