import Glibc
import Identifiers
import PlasmaProtocol
import Testing

@testable import PlasmaStore

@Suite struct StressTests {
    /// A frame of any kind about a few ids, so that clients meet on the same objects.
    private func append(_ random: inout SplitMix, to buffer: inout ByteBuffer) {
        let id = testID(Int(random.next() % 24))
        let ids = (0..<random.next() % 40).map { _ in testID(Int(random.next() % 24)) }
        let bytes = [UInt8](repeating: 3, count: random.skewed(3000))
        let evicts = random.next() % 4 != 0
        switch random.next() % 14 {
        case 0, 1:
            CreateRequest(
                id: id, evictsIfFull: evicts, dataByteCount: UInt64(bytes.count),
                metadataByteCount: random.next() % 50
            ).write(to: &buffer)
        case 2, 3:
            bytes.withUnsafeBytes {
                CreateAndSealRequest.write(
                    id: id, evictsIfFull: evicts, data: $0, metadata: $0, digest: 1, to: &buffer)
            }
        case 4:
            let entries = ids.map { CreateAndSealBatchRequest.Entry(id: $0, data: bytes) }
            CreateAndSealBatchRequest.write(entries, evictsIfFull: evicts, to: &buffer)
        case 5: SealRequest(id: id, digest: 3).write(to: &buffer)
        case 6, 7:
            let timeouts: [Int64] = [0, 0, 5, -1]
            GetRequest.write(
                ids, timeoutMilliseconds: timeouts[Int(random.next() % 4)], to: &buffer)
        case 8: DeleteRequest.write(ids, to: &buffer)
        case 9: RefreshLRURequest.write(ids, to: &buffer)
        case 10: EmptyMessage.write(.listRequest, to: &buffer)
        case 11:
            ByteCountMessage(byteCount: Int64(random.skewed(4000)))
                .write(.evictRequest, to: &buffer)
        case 12: IDMessage(id: id).write(.containsRequest, to: &buffer)
        default:
            IDMessage(id: id).write(
                random.next() % 2 == 0 ? .releaseRequest : .abortRequest, to: &buffer)
        }
    }

    /// What a client sends: a frame, sometimes with changed bytes, sometimes rubbish.
    private func bytes(_ random: inout SplitMix) -> [UInt8] {
        var buffer = ByteBuffer()
        append(&random, to: &buffer)
        var bytes = buffer.array
        switch random.next() % 60 {
        case 0: bytes = (0..<100).map { _ in UInt8(random.next() & 255) }
        case 1, 2, 3:
            for _ in 0..<3 {
                let index = Int(random.next() % UInt64(bytes.count))
                bytes[index] = UInt8(random.next() & 255)
            }
        default: break
        }
        return bytes
    }

    @Test("many clients, good and bad, leave the store sound", arguments: 1...8)
    func staysSound(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let store = try TestStore(capacity: 20_000) { limits in
            limits.sliceCountMax = 7
            limits.sliceByteCountMax = 500
            limits.requestCountPerTurn = 3
        }
        store.service.hasTime = { random.next() % 2 == 0 }
        var clients: [TestClient] = []
        var dropped = 0
        for step in 0..<3000 {
            if clients.count < 6 {
                clients.append(try store.client())
                if random.next() % 3 == 0 { clients.last?.subscribe() }
            }
            let index = Int(random.next() % UInt64(clients.count))
            let client = clients[index]
            var sent = bytes(&random)[...]
            while !sent.isEmpty {
                let piece = sent.prefix(1 + Int(random.next() % UInt64(sent.count)))
                sent = sent.dropFirst(piece.count)
                Array(piece).withUnsafeBytes { store.service.receive(client.session, $0) }
                _ = store.service.work()
            }
            if random.next() % 4 == 0 { store.settle() }
            store.pass(milliseconds: 1)
            store.service.checkDeadline(client.session)
            let isLeaving = random.next() % 200 == 0
            if client.session.isFinished || isLeaving {
                if client.session.isFinished { dropped += 1 }
                store.service.close(client.session)
                clients.remove(at: index)
            } else {
                client.session.output.consume(client.session.output.sendableCount)
                while client.session.output.nextDescriptor != nil {
                    client.session.output.consumeDescriptor()
                    client.session.output.consume(client.session.output.sendableCount)
                }
                store.service.resume(client.session)
            }
            if step % 10 == 0 { #expect(store.isSound, "seed \(seed) step \(step)") }
        }
        #expect(dropped > 10, "no client was ever bad")
        for client in clients { store.service.close(client.session) }
        store.settle()
        #expect(store.isSound)
        #expect(store.service.sessionCount == 0)
        let last = try store.client()
        _ = try last.evict(.max)
        #expect(try last.list().isEmpty)
        let rest = store.service.store.usedByteCount
        #expect(rest == 0)
        let taken = store.service.store.arena.takenByteCount
        #expect(taken == 0)
    }

    @Test func longRequestsLeaveOthersTheirTurn() throws {
        let store = try TestStore(capacity: 1 << 22)
        let (busy, other) = (try store.client(), try store.client())
        let entries = (0..<20_000).map {
            CreateAndSealBatchRequest.Entry(id: testID($0), data: [1, 2, 3])
        }
        #expect(try busy.batch(entries) == nil)
        var buffer = ByteBuffer()
        DeleteRequest.write(entries.map(\.id), to: &buffer)
        buffer.array.withUnsafeBytes { store.service.receive(busy.session, $0) }
        #expect(store.service.hasWork)
        // One turn of the other client is between two slices, not after the last.
        var request = ByteBuffer()
        IDMessage(id: testID(19_999)).write(.containsRequest, to: &request)
        request.array.withUnsafeBytes { store.service.receive(other.session, $0) }
        #expect(try other.reply(.containsReply) != nil)
        #expect(store.service.hasWork)
        let isAnswered = !busy.session.output.isEmpty
        #expect(!isAnswered)
        store.settle()
        let reply = try busy.body(.deleteReply)
        #expect(try reply.withUnsafeBytes { try DeleteReply($0).ids.count } == 20_000)
    }

    @Test func memoryOfDeletedObjectsGoesBackToTheSystem() throws {
        let store = try TestStore(capacity: 64 << 20)
        let client = try store.client()
        let bytes = [UInt8](repeating: 1, count: 1 << 20)
        for index in 0..<50 { #expect(try client.createAndSeal(testID(index), bytes) == nil) }
        func residentByteCount() -> Int {
            var status = stat()
            fstat(store.service.store.arena.file(0).descriptor, &status)
            return Int(status.st_blocks) * 512
        }
        #expect(residentByteCount() >= 50 << 20)
        _ = try client.delete((1..<50).map(testID))
        #expect(store.service.hasIdleMemory)
        #expect(store.service.giveBackMemory { true } == false)
        #expect(residentByteCount() >= 50 << 20, "given back before anybody could use it again")
        store.pass(milliseconds: 1000)
        var slices = 0
        while store.service.giveBackMemory(while: { false }) { slices += 1 }
        #expect(slices > 10)
        #expect(!store.service.hasIdleMemory)
        #expect(residentByteCount() <= 2 << 20)
        #expect(store.isSound)
    }
}
