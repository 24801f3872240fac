import Identifiers
import PlasmaProtocol
import Testing

@testable import PlasmaStore

extension TestClient {
    func shakeHands() throws {
        send { ExtensionMessage.write(.extensionRequest, numbers: [1], to: &$0) }
        _ = try body(.extensionReply)
    }

    /// Asks what the store needs, as a node manager does.
    func askNeeds(primaryMax: Int64 = .max, wait: Int64 = 500, heldOrder: Int64 = 0) {
        send {
            NeedsRequest(
                primaryByteCountMax: primaryMax, graceMilliseconds: 2000, waitMilliseconds: wait,
                heldOrder: heldOrder
            ).write(to: &$0)
        }
    }

    /// What the store needs; `nil` while it needs nothing.
    func needs() throws -> NeedsReply? {
        guard let body = try reply(.needsReply) else { return nil }
        return try body.withUnsafeBytes { try NeedsReply($0) }
    }

    func candidates(count: Int64 = 100, bytes: Int64 = .max) throws -> [RecordID] {
        send { CandidatesRequest(countMax: count, byteCountMax: bytes).write(to: &$0) }
        let body = try body(.candidatesReply)
        return try body.withUnsafeBytes { try CandidatesReply.read($0) }.map(\.id)
    }

    func mark(_ ids: RecordID..., isSecondary: Bool) throws -> Int64 {
        send {
            ExtensionMessage.write(
                .markRequest, numbers: [isSecondary ? 1 : 0], ids: ids, to: &$0)
        }
        return try body(.markReply).withUnsafeBytes { try ExtensionMessage($0).number(0) }
    }

    func deleteUnused(_ ids: RecordID...) throws -> [StoreError?] {
        send { ExtensionMessage.write(.deleteUnusedRequest, numbers: [], ids: ids, to: &$0) }
        return try body(.deleteUnusedReply).withUnsafeBytes { body in
            let message = try ExtensionMessage(body)
            return try (0..<message.numberCount).map {
                StoreError(rawValue: Int32(try message.number($0)))
            }
        }
    }
}

@Suite("Spilling, the store's side") struct SpillingTests {
    /// A store with a node manager that waits for news, and a client.
    private func start(
        capacity: Int = 10_000
    ) throws -> (store: TestStore, manager: TestClient, client: TestClient) {
        let store = try TestStore(capacity: capacity)
        let manager = try store.client()
        try manager.shakeHands()
        manager.askNeeds()
        #expect(try manager.needs() == nil)
        return (store, manager, try store.client())
    }

    @Test func primariesAreNotEvictedAndSecondariesGoFirst() throws {
        let (store, _, client) = try start()
        let helper = try store.client()
        try helper.shakeHands()
        for index in 0..<9 { #expect(try client.put(testID(index), 1000) == nil) }
        #expect(try client.evict(1000) == 0)
        #expect(try helper.mark(testID(8), testID(99), isSecondary: true) == 1)
        #expect(try client.put(testID(20), 2000) == nil)
        #expect(try !client.contains(testID(8)))
        #expect(try client.contains(testID(0)))
        #expect(try helper.mark(testID(3), isSecondary: true) == 1)
        #expect(try helper.mark(testID(3), isSecondary: false) == 1)
        #expect(try client.evict(1000) == 0)
        #expect(store.isSound)
    }

    @Test func aCreateWithoutRoomWaitsUntilThereIsSome() throws {
        let (store, manager, client) = try start()
        for index in 0..<10 { #expect(try client.put(testID(index), 1000) == nil) }
        let other = try store.client()
        other.send {
            CreateRequest(
                id: testID(50), evictsIfFull: true, dataByteCount: 1500, metadataByteCount: 0
            ).write(to: &$0)
        }
        #expect(try other.reply(.createReply) == nil)
        let needs = try #require(try manager.needs())
        #expect(needs.heldByteCount == 1500 && needs.heldOrder == 1)
        #expect(needs.usedByteCount == 10_000 && needs.spillableByteCount == 10_000)
        let worker = try store.client()
        try worker.shakeHands()
        #expect(try worker.candidates(bytes: 1500) == [testID(0), testID(1)])
        #expect(try worker.deleteUnused(testID(0)) == [nil])
        #expect(try other.reply(.createReply) == nil)
        #expect(try worker.deleteUnused(testID(1)) == [nil])
        let reply = try other.body(.createReply).withUnsafeBytes { try CreateReply($0) }
        #expect(reply.error == nil)
        #expect(store.service.spilling.heldByteCount == 0)
        #expect(store.isSound)
    }

    @Test func aCreateIsRefusedAfterTheGraceTime() throws {
        let (store, _, client) = try start()
        _ = try client.create(testID(1), 9000)
        client.send {
            CreateRequest(
                id: testID(2), evictsIfFull: true, dataByteCount: 1001, metadataByteCount: 0
            ).write(to: &$0)
        }
        #expect(client.session.deadline == 3000)
        store.pass(milliseconds: 1999)
        store.service.checkDeadline(client.session)
        store.settle()
        #expect(try client.reply(.createReply) == nil)
        store.pass(milliseconds: 1)
        store.service.checkDeadline(client.session)
        store.settle()
        let reply = try client.body(.createReply).withUnsafeBytes { try CreateReply($0) }
        #expect(reply.error == .outOfMemory)
        #expect(client.session.deadline == nil)
        #expect(try client.create(testID(3), 20_000).error == .outOfMemory)
        #expect(try client.create(testID(4), 2000, evicts: false).error == .outOfMemory)
        #expect(store.isSound)
    }

    @Test func aWaitingBatchGoesOnWhenThereIsRoom() throws {
        let (store, manager, client) = try start()
        for index in 0..<10 { #expect(try client.put(testID(index), 1000) == nil) }
        let entries = (20..<23).map {
            CreateAndSealBatchRequest.Entry(id: testID($0), data: Array(repeating: 1, count: 500))
        }
        client.send { CreateAndSealBatchRequest.write(entries, evictsIfFull: true, to: &$0) }
        #expect(try manager.needs()?.heldByteCount == 1500)
        let worker = try store.client()
        try worker.shakeHands()
        _ = try worker.candidates(count: 2)
        #expect(try worker.deleteUnused(testID(0), testID(1)) == [nil, nil])
        #expect(try client.status(.createAndSealBatchReply) == nil)
        #expect(try client.contains(testID(22)))
        #expect(store.isSound)
    }

    @Test func waitsForMissingObjectsAreTold() throws {
        let (store, manager, client) = try start()
        client.sendGet([testID(1), testID(2)], timeout: -1)
        #expect(try manager.needs()?.awaited == [testID(1), testID(2)])
        manager.askNeeds()
        #expect(try manager.needs() == nil)
        // One that comes later hears of what is awaited still.
        manager.close()
        let next = try store.client()
        try next.shakeHands()
        next.askNeeds()
        #expect(Set(try #require(try next.needs()).awaited) == [testID(1), testID(2)])
        let maker = try store.client()
        for id in [testID(1), testID(2)] { #expect(try maker.put(id, 10) == nil) }
        #expect(try client.places()?.count == 2)
        #expect(store.isSound)
    }

    @Test func theNodeManagerHearsOfTooManyPrimariesAndOfTime() throws {
        let (store, manager, client) = try start()
        manager.close()
        let next = try store.client()
        try next.shakeHands()
        next.askNeeds(primaryMax: 3000)
        for index in 0..<2 { _ = try client.put(testID(index), 1000) }
        #expect(try next.needs() == nil)
        _ = try client.put(testID(2), 1000)
        #expect(try next.needs()?.primaryByteCount == 3000)
        next.askNeeds(wait: 500)
        store.pass(milliseconds: 500)
        store.service.checkDeadline(next.session)
        store.settle()
        #expect(try next.needs()?.usedByteCount == 3000)
    }

    @Test func whatSomeoneElseUsesIsNotDeleted() throws {
        let (store, _, client) = try start()
        for index in 0..<3 { _ = try client.put(testID(index), 1000) }
        let worker = try store.client()
        try worker.shakeHands()
        #expect(try worker.candidates() == [testID(0), testID(1), testID(2)])
        #expect(try worker.candidates() == [])
        _ = try client.get(testID(1))
        _ = try client.create(testID(5), 10)
        #expect(
            try worker.deleteUnused(testID(0), testID(1), testID(5), testID(9))
                == [nil, .objectInUse, .objectNotSealed, .objectNotFound])
        #expect(try client.contains(testID(1)))
        // A doomed one goes with the last use, and never before another's.
        #expect(try client.delete([testID(1), testID(2)]) == [.objectInUse, .objectInUse])
        #expect(try worker.deleteUnused(testID(1), testID(2)) == [.objectInUse, nil])
        worker.release(testID(1))
        client.release(testID(1))
        #expect(try !client.contains(testID(1)))
        #expect(store.isSound)
    }

    @Test func aHeldClientThatLeavesLeavesNothing() throws {
        let (store, manager, client) = try start()
        _ = try client.put(testID(1), 9000)
        let other = try store.client()
        other.send {
            CreateRequest(
                id: testID(2), evictsIfFull: true, dataByteCount: 5000, metadataByteCount: 0
            ).write(to: &$0)
        }
        _ = try manager.needs()
        other.close()
        #expect(store.service.spilling.held.isEmpty && store.service.spilling.heldByteCount == 0)
        manager.close()
        store.pass(milliseconds: 5000)
        #expect(try client.create(testID(3), 5000).error == .outOfMemory)
        #expect(store.isSound)
    }

    @Test func aSecondNodeManagerHasToGo() throws {
        let (store, manager, client) = try start()
        let second = try store.client(process: 8)
        try second.shakeHands()
        second.askNeeds()
        #expect(try #require(second.failure).contains("a store has one node manager"))
        #expect(manager.failure == nil)
        manager.close()
        second.close()
        let third = try store.client()
        try third.shakeHands()
        third.askNeeds()
        #expect(third.failure == nil)
        for index in 0..<10 { #expect(try client.put(testID(index), 1000) == nil) }
        #expect(try client.evict(1000) == 0)
        #expect(store.isSound)
    }

    @Test func primariesAreOrdinaryLongAfterTheNodeManagerLeft() throws {
        let (store, manager, client) = try start()
        for index in 0..<10 { #expect(try client.put(testID(index), 1000) == nil) }
        manager.close()
        store.pass(milliseconds: 599_999)
        #expect(try client.put(testID(20), 1000) == .outOfMemory)
        // One that comes back in time keeps them.
        let next = try store.client()
        try next.shakeHands()
        next.askNeeds()
        store.pass(milliseconds: 1_000_000)
        #expect(try client.evict(1000) == 0)
        next.close()
        store.pass(milliseconds: 600_000)
        #expect(store.service.takeMessages().contains { $0.contains("may be evicted again") })
        #expect(try client.put(testID(20), 1000) == nil)
        #expect(try !client.contains(testID(0)))
        #expect(store.isSound)
    }

    @Test func aWaitingCreateGoesOnWhenPrimariesAreOrdinary() throws {
        let store = try TestStore(capacity: 10_000) { $0.guardSecondsMax = 1 }
        let (manager, client) = (try store.client(), try store.client())
        try manager.shakeHands()
        manager.askNeeds()
        for index in 0..<10 { #expect(try client.put(testID(index), 1000) == nil) }
        client.send {
            CreateRequest(
                id: testID(50), evictsIfFull: true, dataByteCount: 1500, metadataByteCount: 0
            ).write(to: &$0)
        }
        #expect(try client.reply(.createReply) == nil)
        manager.close()
        store.pass(milliseconds: 1000)
        store.settle()
        let reply = try client.body(.createReply).withUnsafeBytes { try CreateReply($0) }
        #expect(reply.error == nil)
        #expect(store.service.spilling.heldByteCount == 0)
        #expect(store.isSound)
    }
}
