internal import PlasmaProtocol

extension StoreService {
    func turn(_ session: Session) {
        guard !session.isFinished else { return }
        runInput(session)
        report(session)
        afterRun(session)
        noteChange(session)
    }

    func runInput(_ session: Session) {
        let consumed = run(session, session.input.bytes)
        session.input.consume(consumed)
    }

    /// Works on the frames in `bytes`; says how many bytes are done with.
    func run(_ session: Session, _ bytes: UnsafeRawBufferPointer) -> Int {
        var position = 0
        do throws(WireError) {
            var left = limits.requestCountPerTurn
            while position < bytes.count, !session.isFinished {
                guard position == 0 || left > 0 && hasTime() else {
                    enqueue(session)
                    break
                }
                let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
                guard let done = try runFirst(session, rest) else { return position }
                position += done
                left -= 1
            }
        } catch {
            session.failure = error.description
        }
        return position
    }

    /// Works on the first frame of `bytes`; says how long it is, or `nil` when it is not done.
    private func runFirst(
        _ session: Session, _ bytes: UnsafeRawBufferPointer
    )
        throws(WireError) -> Int?
    {
        guard !session.output.isFull else { return nil }
        if session.isAwaitingDescriptor {
            guard bytes.count > 0 else { return nil }
            subscribe(session)
            return 1
        }
        if let refusal = session.refusal { return skip(refusal, bytes, session) }
        guard session.output.bytes.count <= limits.backlogByteCountMax,
            let header = try FrameHeader(reading: bytes, bodyByteCountMax: Self.frameByteCountMax)
        else { return nil }
        guard session.isExtended || !header.type.isExtension else {
            throw .messageType(found: header.type.rawValue)
        }
        guard header.bodyByteCount <= dataByteCountMax || !carriesData(header.type) else {
            session.refusal = Refusal(reply: header.type, unread: header.bodyByteCount)
            return FrameHeader.byteCount
        }
        let limit = limits.requestByteCountMax
        guard header.bodyByteCount <= limit || carriesData(header.type) else {
            throw .bodyByteCount(found: Int64(header.bodyByteCount), limit: limit)
        }
        let end = FrameHeader.byteCount + header.bodyByteCount
        guard bytes.count >= end else { return nil }
        let body = UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount..<end])
        if session.isWaiting { return nil }
        if session.operation == nil, try answer(header.type, body, session) { return end }
        guard let operation = session.operation ?? operation(header.type) else {
            throw .messageType(found: header.type.rawValue)
        }
        session.operation = operation
        switch try operation.step(body, session, self) {
        case .finished:
            session.operation = nil
            return end
        case .more: enqueue(session)
        case .waiting: session.isWaiting = true
        }
        return nil
    }

    /// Skips bytes of a message that has no room in the store, and answers once all are there.
    private func skip(
        _ refusal: Refusal, _ bytes: UnsafeRawBufferPointer, _ session: Session
    ) -> Int? {
        guard bytes.count > 0 else { return nil }
        let skipped = min(refusal.unread, bytes.count)
        session.refusal?.unread -= skipped
        if skipped == refusal.unread {
            session.refusal = nil
            let isBatch = refusal.reply == .createAndSealBatchRequest
            StatusReply(error: .outOfMemory).write(
                isBatch ? .createAndSealBatchReply : .createAndSealReply,
                to: &session.output.bytes)
        }
        return skipped
    }

    func afterRun(_ session: Session) {
        wakeSatisfied()
        wakeSpilling()
        if session.passed != nil { session.checkPassed() }
        if session.isWaiting, isTooFarAhead(session) {
            session.failure =
                "sent \(session.input.count) bytes while waiting for a reply, limit is "
                + "\(limits.aheadByteCountMax)"
        }
        count(session)
    }

    /// Whether more is buffered than the first frame and what may be sent ahead.
    func isTooFarAhead(_ session: Session) -> Bool {
        session.input.count > limits.aheadByteCountMax
            && session.input.count > largestFrame(session) + limits.aheadByteCountMax
    }

    func noteChange(_ session: Session) {
        guard !session.isChanged else { return }
        session.isChanged = true
        changed.append(session)
    }

    /// Lets the requests go on whose last object has come.
    func wakeSatisfied() {
        guard !store.satisfied.isEmpty else { return }
        for number in store.satisfied {
            guard let session = sessions[Int(number)], session.isWaiting else { continue }
            session.isWaiting = false
            resume(session)
        }
        store.satisfied.removeAll(keepingCapacity: true)
    }

    func release(_ session: Session) {
        let number = session.number
        guard store.releaseAll(number, countMax: limits.sliceCountMax),
            store.stopWaiting(number, countMax: limits.sliceCountMax)
        else {
            wakeSpilling()
            enqueue(session)
            return
        }
        wakeSpilling()
        store.closeSession(number)
        sessions[Int(number)] = nil
        sessionCount -= 1
    }
}
