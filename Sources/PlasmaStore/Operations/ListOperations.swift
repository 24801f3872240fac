internal import PlasmaProtocol

/// Delete: one outcome per id.
final class DeleteOperation: Operation {
    private var position = 0
    private var writer: DeleteReplyWriter?

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let request = try DeleteRequest(body)
        try service.check(request.ids)
        if writer == nil { writer = DeleteReplyWriter(count: request.ids.count) }
        let end = min(request.ids.count, position + service.limits.sliceCountMax)
        while position < end {
            let id = try request.ids.id(at: position)
            writer?.append(id, service.store.delete(id))
            position += 1
        }
        guard position == request.ids.count, let writer = writer.take() else { return .more }
        session.output.append(writer.finish())
        return .finished
    }
}

/// List: a row for every object that was there when it started and still is when its turn comes.
final class ListOperation: Operation {
    private var slot: UInt32 = 1
    private var orderMax: UInt64 = 0
    private var writer: ListReplyWriter?

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        if writer == nil {
            writer = ListReplyWriter(countMax: service.store.objectCount)
            orderMax = service.store.order
        }
        let end = UInt32(clamping: Int(slot) + service.limits.sliceCountMax)
        while slot < end, Int(slot) <= service.store.table.slotCount {
            let record = service.store.table[slot]
            if record.state.isPresent, record.createdOrder <= orderMax {
                _ = writer?.append(record.info)
            }
            slot += 1
        }
        guard Int(slot) > service.store.table.slotCount, let writer = writer.take() else {
            return .more
        }
        session.output.append(writer.finish())
        return .finished
    }
}

/// Evict: oldest first, until as many bytes are free; those that go to the external store are
/// waited for.
final class EvictOperation: Operation {
    private var freed: Int64 = 0
    /// Evicted bytes and the external store's failures before.
    private var before: (byteCount: Int, failureCount: Int)?
    /// The file of the external store that the last objects go into.
    private var lastFile: UInt32 = 0

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let request = try ByteCountMessage(body)
        let external = service.store.external
        if before == nil {
            before = (service.store.uses.evictedByteCount, external?.failureCount ?? 0)
        }
        if lastFile != 0 { return finish(session, service) }
        for _ in 0..<service.limits.sliceCountMax {
            guard freed < request.byteCount, let byteCount = service.store.evictOldest() else {
                lastFile = external?.send() ?? 0
                return finish(session, service)
            }
            freed += Int64(byteCount)
        }
        return .more
    }

    private func finish(_ session: Session, _ service: StoreService) -> Progress {
        if let external = service.store.external, external.isWriting(lastFile) {
            service.waitForExternal(session)
            return .waiting
        }
        if let before, let external = service.store.external,
            external.failureCount != before.failureCount
        {
            // What could not be written stays.
            freed = min(
                freed, Int64(max(0, service.store.uses.evictedByteCount - before.byteCount)))
        }
        ByteCountMessage(byteCount: freed).write(.evictReply, to: &session.output.bytes)
        return .finished
    }
}

/// RefreshLRU: the named objects become the most recently used ones, the last the newest.
final class RefreshOperation: Operation {
    private var position = 0

    func step(
        _ body: UnsafeRawBufferPointer, _ session: Session, _ service: StoreService
    )
        throws(WireError) -> Progress
    {
        let request = try RefreshLRURequest(body)
        try service.check(request.ids)
        let end = min(request.ids.count, position + service.limits.sliceCountMax)
        while position < end {
            service.store.touch(try request.ids.id(at: position))
            position += 1
        }
        guard position == request.ids.count else { return .more }
        EmptyMessage.write(.refreshLRUReply, to: &session.output.bytes)
        return .finished
    }
}
