internal import Identifiers
internal import PlasmaProtocol

// MARK: - Small requests

/// What most requests are: done in one go, with nothing to wait for.
///
/// Each says `false` and changes nothing when that is not so; the operation of its kind does it then.
extension StoreService {
    func create(_ request: CreateRequest, _ session: Session) -> Bool {
        guard request.device == 0 else {
            CreateReply(id: request.id, error: .outOfMemory).write(to: &session.output.bytes)
            return true
        }
        let outcome = store.create(
            request.id, dataByteCount: request.dataByteCount,
            metadataByteCount: request.metadataByteCount, session.number)
        switch outcome {
        case .created(let slot): answerCreate(request.id, slot, session)
        case .refused(let error):
            CreateReply(id: request.id, error: error).write(to: &session.output.bytes)
        case .needsRoom, .waits: return false
        }
        return true
    }

    func createAndSeal(_ request: CreateAndSealRequest, _ session: Session) -> Bool {
        guard request.data.count + request.metadata.count <= limits.sliceByteCountMax else {
            return false
        }
        var error: StoreError?
        switch store.insert(request, session.number) {
        case .created: break
        case .refused(let reason): error = reason
        case .needsRoom, .waits: return false
        }
        StatusReply(error: error).write(.createAndSealReply, to: &session.output.bytes)
        return true
    }

    func delete(_ request: DeleteRequest, _ session: Session) throws(WireError) -> Bool {
        guard request.ids.count <= min(limits.sliceCountMax, limits.idCountMax) else {
            return false
        }
        var writer = DeleteReplyWriter(
            count: request.ids.count, after: session.output.takeBytes())
        for index in 0..<request.ids.count {
            let id = try request.ids.id(at: index)
            writer.append(id, store.delete(id))
        }
        session.output.bytes = writer.finish()
        return true
    }

    func get(_ request: GetRequest, _ session: Session) throws(WireError) -> Bool {
        guard request.ids.count <= min(limits.sliceCountMax, limits.idCountMax) else {
            return false
        }
        for index in 0..<request.ids.count {
            guard try isSettled(request, index) else { return false }
        }
        var writer = GetReplyWriter(count: request.ids.count, after: session.output.takeBytes())
        for index in 0..<request.ids.count {
            takePlace(try request.ids.id(at: index), &writer, session)
        }
        let segments = writer.segments
        session.output.bytes = writer.finish(files: files(segments))
        sendDescriptors(segments, session)
        return true
    }

    /// Whether there is nothing to wait for: the object is in memory, or none and not awaited.
    private func isSettled(_ request: GetRequest, _ index: Int) throws(WireError) -> Bool {
        let slot = store.find(try request.ids.id(at: index))
        guard slot != 0 else { return request.timeoutMilliseconds == 0 }
        return store.table[slot].state == .sealed
    }

    /// Lets a client use an object, if it is in memory, and tells where it is.
    func takePlace(_ id: RecordID, _ writer: inout GetReplyWriter, _ session: Session) {
        let slot = store.find(id)
        guard slot != 0, store.table[slot].state == .sealed else {
            writer.append(id, .missing, segment: nil)
            return
        }
        store.use(slot, session.number)
        store.uses.consumedByteCount += store.table.byteCount(slot)
        writer.append(
            id, store.place(slot), segment: Int(store.table[slot].piece.segment))
    }
}
