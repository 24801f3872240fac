internal import EventLoop
internal import Identifiers
internal import PlasmaProtocol

/// Requests to a store, one at a time, each answered before the next is written.
final class RequestChannel {
    enum Request {
        /// Greets the store, which tells its capacity.
        case connect((Int64) -> Void)
        case list(([ObjectInfo]) -> Void)
        case delete([RecordID], ([StoreError?]) -> Void)
        /// Asks for an object that cannot be, to hear that the store is done with what it did before.
        case mark(() -> Void)
        /// The store's state in words.
        case describe((String) -> Void)
        /// A message of our extension, and the type of its reply.
        case extended(
            (inout ByteBuffer) -> Void, reply: MessageType,
            (UnsafeRawBufferPointer) throws(WireError) -> Void)
    }

    /// A reply may be this large; Arrow's List of a million objects is 76 MB.
    private static let bodyByteCountMax = 1 << 30
    private static let nobody = IDMessage(
        id: RecordID(batch: .root, unique: 0, index: 0))
    private static let replyTimeout = Duration.seconds(30)

    private var stream: ByteStream?
    private var waiting: [Request] = []
    private var current: Request?
    private var replyTimer: Timer?

    /// - Parameter onEnd: called once; no request is answered afterwards.
    init(
        _ loop: Loop, adopting descriptor: consuming Descriptor,
        onEnd: @escaping (StoreConnectionError) -> Void
    ) {
        replyTimer = Timer(loop) { onEnd(.silent(Self.replyTimeout)) }
        stream = ByteStream(
            loop, adopting: descriptor,
            parse: { [weak self] bytes throws(StoreConnectionError) in
                try self?.parse(bytes) ?? bytes.count
            }, onEnd: onEnd)
    }

    func ask(_ request: Request) {
        waiting.append(request)
        askNext()
    }

    private func askNext() {
        guard current == nil, !waiting.isEmpty else { return }
        let request = waiting.removeFirst()
        current = request
        replyTimer?.schedule(after: Self.replyTimeout)
        stream?.write { buffer in
            switch request {
            case .connect: EmptyMessage.write(.connectRequest, to: &buffer)
            case .list: EmptyMessage.write(.listRequest, to: &buffer)
            case .delete(let ids, _): DeleteRequest.write(ids, to: &buffer)
            case .mark: Self.nobody.write(.containsRequest, to: &buffer)
            case .describe: EmptyMessage.write(.debugStringRequest, to: &buffer)
            case .extended(let write, _, _): write(&buffer)
            }
        }
    }

    private func parse(_ bytes: UnsafeRawBufferPointer) throws(StoreConnectionError) -> Int {
        var used = 0
        while let (type, body) = try frame(UnsafeRawBufferPointer(rebasing: bytes[used...])) {
            used += FrameHeader.byteCount + body.count
            try answer(type, body)
        }
        return used
    }

    /// The first frame of `bytes`; `nil` when it is not complete.
    private func frame(
        _ bytes: UnsafeRawBufferPointer
    ) throws(StoreConnectionError) -> (MessageType, UnsafeRawBufferPointer)? {
        do {
            guard
                let header = try FrameHeader(
                    reading: bytes, bodyByteCountMax: Self.bodyByteCountMax)
            else { return nil }
            let end = FrameHeader.byteCount + header.bodyByteCount
            guard bytes.count >= end else { return nil }
            return (
                header.type, UnsafeRawBufferPointer(rebasing: bytes[FrameHeader.byteCount..<end])
            )
        } catch {
            throw .wire(error)
        }
    }

    private func answer(
        _ type: MessageType, _ body: UnsafeRawBufferPointer
    ) throws(StoreConnectionError) {
        guard let request = current else {
            throw .unexpectedReply(expected: nil, found: type)
        }
        guard type == request.replyType else {
            throw .unexpectedReply(expected: request.replyType, found: type)
        }
        current = nil
        replyTimer?.cancel()
        do throws(WireError) {
            switch request {
            case .connect(let completion): completion(try ByteCountMessage(body).byteCount)
            case .mark(let completion): completion()
            case .list(let completion): completion(try ObjectInfoList(body).rowsOfRecords())
            case .delete(let ids, let completion):
                completion(try outcomes(DeleteReply(body), for: ids))
            case .describe(let completion): completion(try DebugStringReply(body).text)
            case .extended(_, _, let read): try read(body)
            }
        } catch {
            throw .wire(error)
        }
        askNext()
    }

    private func outcomes(
        _ reply: DeleteReply, for ids: [RecordID]
    ) throws(WireError) -> [StoreError?] {
        guard reply.ids.count == ids.count else {
            throw .entryCountMismatch(expected: ids.count, found: reply.ids.count)
        }
        var outcomes: [StoreError?] = []
        outcomes.reserveCapacity(ids.count)
        for index in ids.indices { outcomes.append(try reply.error(at: index)) }
        return outcomes
    }
}

extension RequestChannel.Request {
    fileprivate var replyType: MessageType {
        switch self {
        case .connect: .connectReply
        case .list: .listReply
        case .delete: .deleteReply
        case .mark: .containsReply
        case .describe: .debugStringReply
        case .extended(_, let reply, _): reply
        }
    }
}

extension ObjectInfoList {
    /// All rows but those whose ids are not 20 bytes: no batch can own them.
    func rowsOfRecords() throws(WireError) -> [ObjectInfo] {
        var rows: [ObjectInfo] = []
        rows.reserveCapacity(count)
        for index in 0..<count {
            do {
                rows.append(try row(at: index))
            } catch {
                guard case .idByteCount = error else { throw error }
            }
        }
        return rows
    }
}
