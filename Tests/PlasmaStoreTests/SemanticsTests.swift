import Identifiers
import PlasmaProtocol
import Testing

@testable import PlasmaStore

@Suite struct SemanticsTests {
    @Test func onlySealedObjectsAreSeen() throws {
        let store = try TestStore(capacity: 10_000)
        let (maker, other) = (try store.client(), try store.client())
        let reply = try maker.create(testID(1), 100, 7)
        #expect(reply.error == nil)
        #expect(reply.place.dataOffset == 64)
        #expect(reply.place.metadataOffset == 164)
        #expect(reply.file.byteCount % 4096 == 8)
        #expect(try !other.contains(testID(1)))
        #expect(try other.get(testID(1)) == [false])
        #expect(try maker.create(testID(1), 1).error == .objectExists)
        #expect(try maker.seal(testID(1)) == 0)
        #expect(try other.contains(testID(1)))
        #expect(try other.get(testID(1)) == [true])
        #expect(store.isSound)
    }

    @Test func aConnectionCountsOnceHoweverOftenItGets() throws {
        let store = try TestStore(capacity: 10_000)
        let (maker, other) = (try store.client(), try store.client())
        _ = try maker.create(testID(1), 100)
        _ = try maker.seal(testID(1))
        #expect(try maker.list()[testID(1)]?.referenceCount == 1)
        _ = try other.get(testID(1))
        _ = try other.get(testID(1))
        #expect(try maker.list()[testID(1)]?.referenceCount == 2)
        other.release(testID(1))
        #expect(try maker.list()[testID(1)]?.referenceCount == 1)
        maker.release(testID(1))
        #expect(try maker.list()[testID(1)]?.referenceCount == 0)
        #expect(try maker.put(testID(2), 10) == nil)
        #expect(try maker.list()[testID(2)]?.referenceCount == 0)
        #expect(store.isSound)
    }

    @Test func listTellsWhatIsKnown() throws {
        let store = try TestStore(capacity: 10_000)
        let client = try store.client()
        _ = try client.create(testID(1), 11, 7)
        var row = try #require(try client.list()[testID(1)])
        #expect(row.dataByteCount == 11 && row.metadataByteCount == 7)
        #expect(row.createdSeconds == 1_700_000_000)
        #expect(row.constructSeconds == -1 && row.digest == nil)
        store.pass(milliseconds: 2000)
        _ = try client.seal(testID(1))
        row = try #require(try client.list()[testID(1)])
        #expect(row.constructSeconds == 2 && row.digest == 9)
    }

    @Test func deleteTellsEachOutcome() throws {
        let store = try TestStore(capacity: 10_000)
        let (maker, other) = (try store.client(), try store.client())
        _ = try maker.put(testID(1), 10)
        _ = try maker.create(testID(2), 10)
        _ = try maker.put(testID(3), 10)
        _ = try maker.get(testID(3))
        let ids = [testID(1), testID(1), testID(2), testID(3), testID(4)]
        #expect(
            try other.delete(ids)
                == [nil, .objectNotFound, .objectNotSealed, .objectInUse, .objectNotFound])
        // Objects in use stay readable until their last release.
        #expect(try other.contains(testID(3)))
        maker.release(testID(3))
        #expect(try !other.contains(testID(3)))
        #expect(store.isSound)
    }

    @Test func aDoomedUnsealedObjectGoesAfterItsSealAndRelease() throws {
        let store = try TestStore(capacity: 10_000)
        let (maker, other) = (try store.client(), try store.client())
        _ = try maker.create(testID(1), 10)
        #expect(try other.delete([testID(1)]) == [.objectNotSealed])
        _ = try maker.seal(testID(1))
        #expect(try other.contains(testID(1)))
        maker.release(testID(1))
        #expect(try !other.contains(testID(1)))
    }

    @Test(
        "a doomed object leaves nothing behind when its creator gives it up",
        arguments: [true, false])
    func noTombstoneStays(isAborted: Bool) throws {
        let store = try TestStore(capacity: 10_000)
        let (maker, other) = (try store.client(), try store.client())
        _ = try maker.create(testID(1), 10)
        #expect(try other.delete([testID(1)]) == [.objectNotSealed])
        if isAborted { try maker.abort(testID(1)) } else { maker.close() }
        #expect(try other.list().isEmpty)
        #expect(try other.put(testID(1), 10) == nil)
        _ = try other.get(testID(1))
        other.release(testID(1))
        #expect(try other.contains(testID(1)))
    }

    @Test func aClosedClientLosesWhatItHeldAndWhatItHadNotSealed() throws {
        let store = try TestStore(capacity: 1000)
        let (maker, other) = (try store.client(), try store.client())
        _ = try maker.create(testID(1), 400)
        _ = try maker.create(testID(2), 300)
        _ = try maker.seal(testID(2))
        maker.close()
        #expect(try other.list().map(\.key) == [testID(2)])
        #expect(try other.list()[testID(2)]?.referenceCount == 0)
        #expect(try other.create(testID(3), 1000).error == nil)
        #expect(store.service.sessionCount == 1)
        #expect(store.isSound)
    }

    @Test func theLargestObjectIsTheCapacity() throws {
        let store = try TestStore(capacity: 10_000)
        let client = try store.client()
        #expect(try client.create(testID(1), 10_001).error == .outOfMemory)
        #expect(try client.create(testID(1), 9_000, 1_001).error == .outOfMemory)
        #expect(try client.create(testID(1), 9_000, 1_000).error == nil)
        #expect(try client.create(testID(2), 1).error == .outOfMemory)
        #expect(try client.create(testID(3), 0).error == nil)
        #expect(try client.create(testID(4), Int(Int64.max), 1).error == .outOfMemory)
    }

    @Test func otherDevicesAreRefused() throws {
        let client = try TestStore(capacity: 10_000).client()
        #expect(try client.create(testID(1), 10, device: 1).error == .outOfMemory)
        #expect(try client.create(testID(1), 10).error == nil)
    }
}

@Suite struct EvictionTests {
    private func full(_ count: Int, of byteCount: Int) throws -> (TestStore, TestClient) {
        let store = try TestStore(capacity: count * byteCount)
        let client = try store.client()
        for index in 0..<count { #expect(try client.put(testID(index), byteCount) == nil) }
        return (store, client)
    }

    @Test func aFullStoreFreesAFifthOldestFirst() throws {
        let (store, client) = try full(100, of: 1000)
        #expect(try client.put(testID(100), 1) == nil)
        for index in 0..<100 { #expect(try client.contains(testID(index)) == (index >= 20)) }
        #expect(store.isSound)
    }

    @Test func moreThanAFifthIsFreedWhenMoreIsMissing() throws {
        let (_, client) = try full(100, of: 1000)
        #expect(try client.put(testID(100), 50_000) == nil)
        #expect(try client.list().count == 51)
    }

    @Test func withoutLeaveToEvictAFullStoreRefuses() throws {
        let (_, client) = try full(10, of: 1000)
        #expect(try client.put(testID(10), 1, evicts: false) == .outOfMemory)
        #expect(try client.create(testID(10), 1, evicts: false).error == .outOfMemory)
        #expect(try client.list().count == 10)
    }

    @Test func nothingIsLostForAnObjectThatCannotFit() throws {
        let (_, client) = try full(100, of: 1000)
        for index in 0..<50 { _ = try client.get(testID(index)) }
        #expect(try client.put(testID(100), 60_000) == .outOfMemory)
        #expect(try client.list().count == 100)
        #expect(try client.put(testID(100), 50_000) == nil)
        #expect(try client.list().count == 51)
    }

    @Test func useAndRefreshMakeAnObjectTheNewest() throws {
        let (_, client) = try full(10, of: 1000)
        _ = try client.get(testID(0))
        client.release(testID(0))
        try client.refresh([testID(1), testID(77)])
        #expect(try client.evict(7001) == 8000)
        #expect(Set(try client.list().keys) == [testID(0), testID(1)])
        #expect(try client.evict(1) == 1000)
        #expect(Set(try client.list().keys) == [testID(1)])
    }

    @Test func evictStopsAtObjectsInUse() throws {
        let (_, client) = try full(10, of: 1000)
        _ = try client.get(testID(3))
        #expect(try client.evict(.max) == 9000)
        #expect(try client.evict(1) == 0)
        #expect(try client.contains(testID(3)))
    }

    @Test func emptyObjectsGoOnTheWay() throws {
        let store = try TestStore(capacity: 1000)
        let client = try store.client()
        for index in 0..<9 { _ = try client.put(testID(index), 0) }
        _ = try client.put(testID(9), 5)
        #expect(try client.evict(1) == 5)
        #expect(try client.list().isEmpty)
    }
}

@Suite struct BatchCreateTests {
    private func entries(
        _ range: Range<Int>, _ byteCount: Int
    )
        -> [CreateAndSealBatchRequest.Entry]
    {
        range.map {
            .init(id: testID($0), data: Array(repeating: 1, count: byteCount), metadata: [2])
        }
    }

    @Test("all of a batch are there afterwards", arguments: [0, 1, 10, 1000])
    func makesAll(count: Int) throws {
        let store = try TestStore(capacity: 100_000)
        let client = try store.client()
        client.subscribe()
        #expect(try client.batch(entries(0..<count, 50)) == nil)
        let rows = try client.list()
        #expect(rows.count == count)
        #expect(rows.values.allSatisfy { $0.referenceCount == 0 && $0.digest != nil })
        let told = try client.notifications()
        #expect(told.rows.map(\.id) == (0..<count).map(testID))
        if count == 10 { #expect(told.count == 1) }
        #expect(store.isSound)
    }

    @Test func noneOfABatchIsThereWhenOneFails() throws {
        let store = try TestStore(capacity: 100_000)
        let client = try store.client()
        client.subscribe()
        _ = try client.put(testID(700), 9)
        #expect(try client.batch(entries(0..<800, 50)) == .objectExists)
        #expect(try client.list().map(\.key) == [testID(700)])
        #expect(try client.batch(entries(0..<2, 1) + entries(1..<3, 1)) == .objectExists)
        #expect(try client.list().map(\.key) == [testID(700)])
        #expect(try client.batch(entries(0..<200, 1000)) == .outOfMemory)
        #expect(try client.list().map(\.key) == [testID(700)])
        #expect(try client.notifications().rows.map(\.id) == [testID(700)])
        #expect(store.isSound)
    }

    @Test func aBatchMakesRoomOnce() throws {
        let store = try TestStore(capacity: 100_000)
        let client = try store.client()
        for index in 1000..<1100 { _ = try client.put(testID(index), 1000) }
        #expect(try client.batch(entries(0..<100, 499), evicts: false) == .outOfMemory)
        #expect(try client.batch(entries(0..<100, 499)) == nil)
        #expect(try client.list().count == 150)
        #expect(store.isSound)
    }
}
