internal import ControlStore
internal import Identifiers
internal import RESP
internal import Settings

/// Walks that go on into the parts of batches on disk.
///
/// A cursor of SCAN or SSCAN that points into such a part has its top bit set; slot + 1 of the batch
/// is below it (SSCAN: none), and the lower half is a place in the order of the disk.
extension ServerState {
    static var diskCursor: UInt64 { 1 << 63 }

    /// Finds members of a batch for SMEMBERS; whether all are found.
    mutating func findMembers(_ pending: Pending, _ batch: BatchID) -> Bool {
        guard pending.ticket == 0 else { return false }
        if pending.cursor & Self.diskCursor == 0 {
            beginWalk(pending)
            // A batch that ended meanwhile has no members left to tell; those told are told.
            pending.cursor =
                store.scanMembers(of: batch, from: pending.cursor, budget: Self.sliceCount) {
                    id, kind in
                    pending.add { $0.bulk(ScannedKey.record(id, kind).name) }
                } ?? 0
            guard pending.cursor == 0 else { return false }
            guard store.hasDiskPart(batch) else { return endWalk(pending) }
            pending.cursor = Self.diskCursor
        } else if pending.cursor == .max || !store.hasDiskPart(batch) {
            return endWalk(pending)
        }
        askForKeys(pending, batch)
        return false
    }

    private mutating func beginWalk(_ pending: Pending) {
        guard !pending.isWalking, canFlush else { return }
        pending.isWalking = true
        pending.walkStart = store.beginWalk()
    }

    @discardableResult
    mutating func endWalk(_ pending: Pending) -> Bool {
        guard pending.isWalking else { return true }
        pending.isWalking = false
        store.endWalk()
        return true
    }

    /// Finds keys for KEYS; whether all are found.
    mutating func findKeys(_ pending: Pending, _ glob: Glob) -> Bool {
        guard pending.ticket == 0 else { return false }
        if pending.cursor & Self.diskCursor == 0 {
            beginWalk(pending)
            pending.cursor = store.scan(from: pending.cursor, budget: Self.sliceCount) { key in
                let name = key.name
                if glob.matches(name) { pending.add { $0.bulk(name) } }
            }
            guard pending.cursor == 0 else { return false }
            pending.cursor = Self.diskCursor
        }
        let slot = UInt32(truncatingIfNeeded: (pending.cursor & ~Self.diskCursor) >> 32)
        guard let part = store.nextDiskPart(from: slot) else { return endWalk(pending) }
        if part.slot != slot { pending.cursor = Self.diskCursor | UInt64(part.slot) << 32 }
        askForKeys(pending, part.batch)
        return false
    }

    private mutating func askForKeys(_ pending: Pending, _ batch: BatchID) {
        let found =
            waiting.first { $0.pointee.pending === pending }
            ?? sessions.first { $0.pointee.pending === pending }
        guard let session = found else { return }
        let ticket = makeTicket(for: session)
        store.requestScan(
            batch, from: pending.cursor & 0xffff_ffff, count: Self.sliceCount, ticket: ticket)
    }

    /// Takes keys that the disk listed.
    mutating func takeScan(
        _ session: SessionPointer, _ pending: Pending, _ keys: [RecordKey], _ next: UInt64
    ) {
        switch pending.work {
        case .members:
            for key in keys where store.shows(key, walk: pending.walkStart) {
                pending.add { $0.bulk(ScannedKey.record(key.id, key.kind).name) }
            }
            pending.cursor = next >= 1 << 32 ? .max : Self.diskCursor | next
        case .keys(let glob):
            for key in keys where store.shows(key, walk: pending.walkStart) {
                let name = ScannedKey.record(key.id, key.kind).name
                if glob.matches(name) { pending.add { $0.bulk(name) } }
            }
            let slot = (pending.cursor & ~Self.diskCursor) >> 32
            pending.cursor =
                Self.diskCursor | (next >= 1 << 32 ? (slot + 1) << 32 : slot << 32 | next)
        case .page(let page):
            let names = keys.filter { store.shows($0, walk: nil) }
                .map { ScannedKey.record($0.id, $0.kind).name }
                .filter { page.glob?.matches($0) ?? true }
            let cursor = next >= 1 << 32 ? page.cursorAfter : page.cursorBase | next
            answer(session) { state in
                state.output.page(cursor, names)
                return true
            }
        default: break
        }
    }
}

extension ReplyWriter {
    /// Writes a page of a scan.
    mutating func page(_ cursor: UInt64, _ keys: [[UInt8]]) {
        array(2)
        bulk(text: String(cursor))
        array(keys.count)
        for key in keys { bulk(key) }
    }
}

extension Call {
    /// Answers SSCAN from a batch's part on disk, from a cursor into it on.
    mutating func pageOfDisk(_ batch: BatchID, _ cursor: UInt64, count: Int, glob: Glob?) {
        guard store.hasDiskPart(batch) else { return reply.page(0, []) }
        wait(
            for: DiskPage(cursorAfter: 0, cursorBase: ServerState.diskCursor, glob: glob), batch,
            from: cursor & 0xffff_ffff, count: count)
    }

    /// Answers SCAN from the first part on disk at a cursor or behind it.
    mutating func pageOfDisks(_ cursor: UInt64, count: Int, glob: Glob?) {
        let slot = UInt32(truncatingIfNeeded: (cursor & ~ServerState.diskCursor) >> 32)
        guard let part = store.nextDiskPart(from: slot) else { return reply.page(0, []) }
        let base = ServerState.diskCursor | UInt64(part.slot) << 32
        let after = store.nextDiskPart(from: part.slot + 1).map {
            ServerState.diskCursor | UInt64($0.slot) << 32
        }
        wait(
            for: DiskPage(cursorAfter: after ?? 0, cursorBase: base, glob: glob), part.batch,
            from: part.slot == slot ? cursor & 0xffff_ffff : 0, count: count)
    }

    private mutating func wait(
        for page: DiskPage, _ batch: BatchID, from place: UInt64, count: Int
    ) {
        session.pointee.pending = Pending(.page(page), version: session.pointee.version)
        state.pointee.putAside(session)
        let ticket = state.pointee.makeTicket(for: session)
        store.requestScan(batch, from: place, count: count, ticket: ticket)
    }
}
