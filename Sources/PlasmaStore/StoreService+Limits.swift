internal import PlasmaProtocol

extension StoreService {
    /// Bytes of any message: what FlatBuffers can address.
    static let frameByteCountMax = Int(Int32.max)

    /// Bytes of a message that carries objects; a longer one could not fit.
    var dataByteCountMax: Int {
        min(Self.frameByteCountMax, store.capacity + limits.requestByteCountMax)
    }

    func carriesData(_ type: MessageType) -> Bool {
        type == .createAndSealRequest || type == .createAndSealBatchRequest
    }

    /// Bytes of the first frame in the buffer, as far as its header tells.
    func largestFrame(_ session: Session) -> Int { largestFrame(session, session.input.bytes) }

    /// The same of bytes that are about to be put there.
    func largestFrame(_ session: Session, _ bytes: UnsafeRawBufferPointer) -> Int {
        guard !session.isAwaitingDescriptor, session.refusal == nil,
            let header = try? FrameHeader(reading: bytes, bodyByteCountMax: dataByteCountMax)
        else { return 0 }
        return FrameHeader.byteCount + header.bodyByteCount
    }

    /// Refuses a message that names too many objects.
    func check(_ ids: IDList) throws(WireError) {
        guard ids.count <= limits.idCountMax else {
            throw .entryCount(found: ids.count, limit: limits.idCountMax)
        }
    }

    /// Bytes of buffers that a session keeps while they are empty.
    private static let keptByteCountMax = 4096
    /// The same of a queue of notifications.
    private static let keptQueueByteCountMax = 64 << 10

    /// Counts the memory of a session's buffers; the largest goes when all together are too large.
    ///
    /// Large buffers that are empty now give their memory up.
    public func count(_ session: Session) {
        // As most of the time: small ones, and counted before.
        let keptByteCount = session.bufferByteCount
        guard
            keptByteCount > Self.keptByteCountMax || keptByteCount != session.countedByteCount
                || session.isClosing
        else { return }
        if session.input.isEmpty, session.input.touchedByteCount > Self.keptByteCountMax {
            trash.append(session.input.takeBlock())
        }
        if session.output.bytes.isEmpty,
            session.output.bytes.touchedByteCount > Self.keptByteCountMax
        {
            trash.append(session.output.bytes.takeBlock())
        }
        trash.append(session.output.takeIdleBlock())
        if let subscription = session.subscription, subscription.queue.isEmpty,
            subscription.queue.touchedByteCount > Self.keptQueueByteCountMax
        {
            trash.append(subscription.queue.takeBlock())
        }
        let byteCount = session.isClosing ? 0 : session.bufferByteCount
        bufferedByteCount += byteCount - session.countedByteCount
        session.countedByteCount = byteCount
        let limit = limits.bufferByteCountMax + store.capacity
        guard bufferedByteCount > limit else { return }
        let largest = sessions.lazy.compactMap(\.self)
            .filter { !$0.isFinished && !$0.isClosing }
            .max { $0.countedByteCount < $1.countedByteCount }
        guard let largest else { return }
        largest.failure =
            "buffers of all clients take \(bufferedByteCount) bytes, limit is \(limit); this "
            + "client has the most with \(largest.countedByteCount)"
        noteChange(largest)
    }
}
