import Glibc
import Identifiers
import PlasmaProtocol
import Testing

@testable import PlasmaStore

/// Id number `index` of a test.
func testID(_ index: Int) -> RecordID {
    RecordID(batch: BatchID(rawValue: 42), unique: UInt64(index), index: 0x8000_0001)
}

/// A store without sockets, and its clock.
final class TestStore {
    let service: StoreService

    convenience init(capacity: Int, _ change: (inout StoreLimits) -> Void = { _ in }) throws {
        try self.init(StoreConfiguration(capacity: capacity), change)
    }

    init(
        _ configuration: StoreConfiguration, _ change: (inout StoreLimits) -> Void = { _ in }
    ) throws {
        var limits = StoreLimits()
        change(&limits)
        service = try StoreService(configuration, limits: limits)
        service.time = StoreTime(unixSeconds: 1_700_000_000, monotonicMilliseconds: 1000)
    }

    func client(process: Int32 = 1) throws -> TestClient { try TestClient(self, process) }

    /// Moves both clocks.
    func pass(milliseconds: Int64) {
        service.time.monotonicMilliseconds += milliseconds
        service.time.unixSeconds += milliseconds / 1000
    }

    /// Does all work that is left.
    func settle() {
        var turns = 0
        while service.work() || service.hasWork {
            turns += 1
            precondition(turns < 1_000_000, "the store never comes to rest")
        }
        for session in service.takeChanged() { service.count(session) }
        if service.hasWork { settle() }
        if takeExternal() { settle() }
    }

    /// Waits for the external store's thread, when it is at work; `false` when it is not.
    private func takeExternal() -> Bool {
        guard let descriptor = service.externalDescriptor, service.isExternalBusy else {
            return false
        }
        var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        precondition(poll(&wait, 1, 30_000) == 1, "the external store's thread does not answer")
        service.takeExternalResults()
        return true
    }

    var isSound: Bool { service.store.invariantsHold() }
}

/// One client of a `TestStore`: sends frames, reads replies.
final class TestClient {
    let store: TestStore
    let session: Session

    init(_ store: TestStore, _ process: Int32) throws {
        self.store = store
        session = try #require(store.service.open(processID: process))
    }

    var failure: String? { session.failure }

    /// Sends one frame and lets the store work.
    func send(_ write: (inout ByteBuffer) -> Void) {
        var buffer = ByteBuffer()
        write(&buffer)
        send(bytes: buffer.array)
    }

    func send(bytes: [UInt8]) {
        bytes.withUnsafeBytes { store.service.receive(session, $0) }
        store.settle()
    }

    /// The next reply, which must be of `type`; `nil` when there is none yet.
    func reply(_ type: MessageType) throws -> [UInt8]? {
        let bytes = session.output.bytes.array
        let header = try bytes.withUnsafeBytes {
            try FrameHeader(reading: $0, bodyByteCountMax: 1 << 30)
        }
        guard let header else { return nil }
        #expect(header.type == type)
        let end = FrameHeader.byteCount + header.bodyByteCount
        session.output.consume(end)
        while session.output.nextDescriptor != nil { session.output.consumeDescriptor() }
        store.service.resume(session)
        return Array(bytes[FrameHeader.byteCount..<end])
    }

    func body(_ type: MessageType) throws -> [UInt8] { try #require(try reply(type)) }

    func close() {
        store.service.close(session)
        store.settle()
    }
}

// MARK: - Requests

extension TestClient {
    func create(
        _ id: RecordID, _ data: Int, _ metadata: Int = 0, evicts: Bool = true, device: Int32 = 0
    ) throws -> CreateReply {
        send {
            CreateRequest(
                id: id, evictsIfFull: evicts, dataByteCount: UInt64(data),
                metadataByteCount: UInt64(metadata), device: device
            ).write(to: &$0)
        }
        return try body(.createReply).withUnsafeBytes { try CreateReply($0) }
    }

    func createAndSeal(
        _ id: RecordID, _ data: [UInt8], _ metadata: [UInt8] = [], evicts: Bool = true
    ) throws -> StoreError? {
        send { buffer in
            data.withUnsafeBytes { data in
                metadata.withUnsafeBytes { metadata in
                    CreateAndSealRequest.write(
                        id: id, evictsIfFull: evicts, data: data, metadata: metadata, digest: 1,
                        to: &buffer)
                }
            }
        }
        return try status(.createAndSealReply)
    }

    /// An object of `byteCount` bytes that nobody uses.
    func put(_ id: RecordID, _ byteCount: Int, evicts: Bool = true) throws -> StoreError? {
        try createAndSeal(id, Array(repeating: 7, count: byteCount), evicts: evicts)
    }

    func batch(
        _ entries: [CreateAndSealBatchRequest.Entry], evicts: Bool = true
    ) throws
        -> StoreError?
    {
        send { CreateAndSealBatchRequest.write(entries, evictsIfFull: evicts, to: &$0) }
        return try status(.createAndSealBatchReply)
    }

    func status(_ type: MessageType) throws -> StoreError? {
        try body(type).withUnsafeBytes { try StatusReply($0).error }
    }

    func seal(_ id: RecordID) throws -> Int32 {
        send { SealRequest(id: id, digest: 9).write(to: &$0) }
        return try body(.sealReply).withUnsafeBytes { try IDNumberReply($0).number }
    }

    func contains(_ id: RecordID) throws -> Bool {
        send { IDMessage(id: id).write(.containsRequest, to: &$0) }
        return try body(.containsReply).withUnsafeBytes { try IDNumberReply($0).number == 1 }
    }

    func release(_ id: RecordID) { send { IDMessage(id: id).write(.releaseRequest, to: &$0) } }

    func abort(_ id: RecordID) throws {
        send { IDMessage(id: id).write(.abortRequest, to: &$0) }
        _ = try reply(.abortReply)
    }

    func sendGet(_ ids: [RecordID], timeout: Int64) {
        send { GetRequest.write(ids, timeoutMilliseconds: timeout, to: &$0) }
    }

    /// Where each object is; `nil` while the store waits.
    func places() throws -> [ObjectPlace]? {
        guard let body = try reply(.getReply) else { return nil }
        return try body.withUnsafeBytes { body in
            let reply = try GetReply(body)
            return try (0..<reply.ids.count).map { try reply.place(at: $0) }
        }
    }

    /// Whether each object is there now.
    func get(_ ids: RecordID...) throws -> [Bool] {
        sendGet(ids, timeout: 0)
        return try #require(try places()).map { !$0.isMissing }
    }

    func setOptions(name: String = "client", quota: Int64) throws -> StoreError? {
        send {
            SetOptionsRequest(name: Array(name.utf8), quotaByteCount: quota).write(to: &$0)
        }
        return try status(.setOptionsReply)
    }

    /// What the store's memory holds of an object that can be got now; pins it.
    func bytes(_ id: RecordID) throws -> (data: [UInt8], metadata: [UInt8])? {
        sendGet([id], timeout: 0)
        guard let place = try #require(try places()).first, !place.isMissing else { return nil }
        func read(_ offset: UInt64, _ count: UInt64) -> [UInt8] {
            var bytes = [UInt8](repeating: 0, count: Int(count))
            let found = bytes.withUnsafeMutableBytes {
                pread(place.storeDescriptor, $0.baseAddress, $0.count, Int(offset))
            }
            #expect(found == bytes.count)
            return bytes
        }
        return (
            read(place.dataOffset, place.dataByteCount),
            read(place.metadataOffset, place.metadataByteCount)
        )
    }

    func delete(_ ids: [RecordID]) throws -> [StoreError?] {
        send { DeleteRequest.write(ids, to: &$0) }
        return try body(.deleteReply).withUnsafeBytes { body in
            let reply = try DeleteReply(body)
            return try (0..<reply.ids.count).map { try reply.error(at: $0) }
        }
    }

    func list() throws -> [RecordID: ObjectInfo] {
        send { EmptyMessage.write(.listRequest, to: &$0) }
        return try body(.listReply).withUnsafeBytes { body in
            let list = try ObjectInfoList(body)
            var rows: [RecordID: ObjectInfo] = [:]
            for index in 0..<list.count {
                let row = try list.row(at: index)
                #expect(rows.updateValue(row, forKey: row.id) == nil)
            }
            return rows
        }
    }

    func evict(_ byteCount: Int64) throws -> Int64 {
        send { ByteCountMessage(byteCount: byteCount).write(.evictRequest, to: &$0) }
        return try body(.evictReply).withUnsafeBytes { try ByteCountMessage($0).byteCount }
    }

    func refresh(_ ids: [RecordID]) throws {
        send { RefreshLRURequest.write(ids, to: &$0) }
        _ = try body(.refreshLRUReply)
    }

    /// Subscribes with a descriptor that can be closed.
    func subscribe() {
        var buffer = ByteBuffer()
        EmptyMessage.write(.subscribeRequest, to: &buffer)
        send(bytes: buffer.array)
        let descriptor = open("/dev/null", O_WRONLY)
        [UInt8(0)].withUnsafeBytes {
            store.service.receive(session, $0, descriptor: descriptor)
        }
        store.settle()
    }

    /// Rows of all notifications since the last call, and how many notifications they came in.
    func notifications() throws -> (rows: [ObjectInfo], count: Int) {
        var rows: [ObjectInfo] = []
        var count = 0
        let subscription = try #require(session.subscription)
        while !subscription.queue.isEmpty {
            let found = try Notification.bodyByteCount(
                subscription.queue.bytes, bodyByteCountMax: 1 << 20)
            let byteCount = try #require(found)
            subscription.queue.consume(Notification.headerByteCount)
            let body = UnsafeRawBufferPointer(
                rebasing: subscription.queue.bytes[..<byteCount])
            let list = try ObjectInfoList(body)
            for index in 0..<list.count { rows.append(try list.row(at: index)) }
            subscription.queue.consume(byteCount)
            count += 1
        }
        return (rows, count)
    }
}
