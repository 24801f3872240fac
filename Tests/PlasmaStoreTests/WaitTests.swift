import Glibc
import Identifiers
import PlasmaProtocol
import Testing

@testable import PlasmaStore

@Suite struct WaitTests {
    @Test func aGetWaitsForTheSeal() throws {
        let store = try TestStore(capacity: 10_000)
        let (maker, waiter) = (try store.client(), try store.client())
        _ = try maker.put(testID(1), 5)
        waiter.sendGet([testID(1), testID(2), testID(2)], timeout: -1)
        #expect(try waiter.places() == nil)
        #expect(try maker.list().count == 1)
        _ = try maker.create(testID(2), 6)
        #expect(try waiter.places() == nil)
        _ = try maker.seal(testID(2))
        let places = try #require(try waiter.places())
        #expect(places.map(\.dataByteCount) == [5, 6, 6])
        #expect(try maker.list()[testID(2)]?.referenceCount == 2)
        #expect(store.isSound)
    }

    @Test func whatWasThereIsPinnedWhileTheRestIsAwaited() throws {
        let store = try TestStore(capacity: 10_000)
        let (maker, waiter) = (try store.client(), try store.client())
        _ = try maker.put(testID(1), 5)
        waiter.sendGet([testID(1), testID(2)], timeout: -1)
        #expect(try maker.delete([testID(1)]) == [.objectInUse])
        _ = try maker.put(testID(2), 5)
        #expect(try waiter.places()?.map(\.isMissing) == [false, false])
    }

    @Test func aTimeOutAnswersWithWhatIsThere() throws {
        let store = try TestStore(capacity: 10_000)
        let (maker, waiter) = (try store.client(), try store.client())
        _ = try maker.put(testID(1), 5)
        waiter.sendGet([testID(1), testID(2)], timeout: 100)
        #expect(waiter.session.deadline == 1100)
        store.pass(milliseconds: 99)
        store.service.checkDeadline(waiter.session)
        store.settle()
        #expect(try waiter.places() == nil)
        store.pass(milliseconds: 1)
        store.service.checkDeadline(waiter.session)
        store.settle()
        #expect(try waiter.places()?.map(\.isMissing) == [false, true])
        // Nobody waits any more: the object comes without a user.
        _ = try maker.put(testID(2), 5)
        #expect(try maker.list()[testID(2)]?.referenceCount == 0)
        #expect(store.isSound)
    }

    @Test func requestsBehindAWaitingGetKeepTheirOrder() throws {
        let store = try TestStore(capacity: 10_000)
        let (maker, waiter) = (try store.client(), try store.client())
        waiter.sendGet([testID(1)], timeout: -1)
        waiter.send { IDMessage(id: testID(1)).write(.containsRequest, to: &$0) }
        let isSilent = waiter.session.output.isEmpty
        #expect(isSilent)
        _ = try maker.put(testID(1), 5)
        #expect(try waiter.places()?.count == 1)
        #expect(try waiter.reply(.containsReply) != nil)
    }

    @Test func aWaiterThatLeavesLeavesNothing() throws {
        let store = try TestStore(capacity: 10_000)
        let (maker, waiter) = (try store.client(), try store.client())
        waiter.sendGet((0..<1000).map(testID), timeout: -1)
        waiter.close()
        let count = store.service.store.table.count
        #expect(count == 0)
        _ = try maker.put(testID(1), 5)
        #expect(try maker.list()[testID(1)]?.referenceCount == 0)
        #expect(store.isSound)
    }

    @Test func anAbortedObjectIsStillAwaited() throws {
        let store = try TestStore(capacity: 10_000)
        let (maker, waiter) = (try store.client(), try store.client())
        _ = try maker.create(testID(1), 5)
        waiter.sendGet([testID(1)], timeout: -1)
        try maker.abort(testID(1))
        #expect(try waiter.places() == nil)
        _ = try maker.put(testID(1), 6)
        #expect(try waiter.places()?.map(\.dataByteCount) == [6])
        #expect(store.isSound)
    }
}

@Suite struct SubscriptionTests {
    @Test func subscribersHearOfSealsAndEnds() throws {
        let store = try TestStore(capacity: 1000)
        let (maker, watcher) = (try store.client(), try store.client())
        _ = try maker.put(testID(1), 10)
        _ = try maker.create(testID(2), 10)
        watcher.subscribe()
        #expect(try watcher.notifications().rows.map(\.id) == [testID(1)])
        _ = try maker.seal(testID(2))
        let sealed = try #require(try watcher.notifications().rows.first)
        #expect(sealed.id == testID(2) && sealed.dataByteCount == 10 && sealed.digest == 9)
        #expect(try maker.delete([testID(1), testID(2)]) == [nil, .objectInUse])
        #expect(try watcher.notifications().rows.map(\.id) == [testID(1)])
        maker.release(testID(2))
        let gone = try #require(try watcher.notifications().rows.first)
        #expect(gone.id == testID(2) && gone.isDeletion)
        _ = try maker.create(testID(3), 10)
        try maker.abort(testID(3))
        #expect(try watcher.notifications().rows.isEmpty)
        _ = try maker.put(testID(4), 1000)
        _ = try maker.put(testID(5), 1000)
        let rows = try watcher.notifications().rows
        #expect(rows.map(\.isDeletion) == [false, true, false])
    }

    @Test func theFirstReportIsWholeAndTellsNothingTwice() throws {
        let store = try TestStore(capacity: 1 << 20) { $0.sliceCountMax = 10 }
        let (maker, watcher) = (try store.client(), try store.client())
        for index in 0..<500 { _ = try maker.put(testID(index), 10) }
        var buffer = ByteBuffer()
        EmptyMessage.write(.subscribeRequest, to: &buffer)
        watcher.send(bytes: buffer.array)
        [UInt8(0)].withUnsafeBytes {
            store.service.receive(watcher.session, $0, descriptor: dup(2))
        }
        // Objects come and go while the report is under way.
        for index in 500..<700 { _ = try maker.put(testID(index), 10) }
        _ = try maker.delete((0..<100).map(testID))
        store.settle()
        var known: Set<RecordID> = []
        for row in try watcher.notifications().rows {
            if row.isDeletion {
                known.remove(row.id)
            } else {
                #expect(known.insert(row.id).inserted)
            }
        }
        #expect(known == Set((100..<700).map(testID)))
    }

    @Test func aSubscriberThatReadsNothingIsLeftBehind() throws {
        let store = try TestStore(capacity: 1 << 20) { $0.notificationByteCountMax = 1000 }
        let (maker, watcher) = (try store.client(), try store.client())
        watcher.subscribe()
        for index in 0..<50 { _ = try maker.put(testID(index), 10) }
        let subscription = try #require(watcher.session.subscription)
        #expect(subscription.isBroken)
        #expect(subscription.queue.count < 1200)
        #expect(try watcher.contains(testID(1)))
    }
}
