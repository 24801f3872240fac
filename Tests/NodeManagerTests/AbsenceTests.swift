import Identifiers
import NodeManager
import Testing

/// What happens while the node manager, the server's connection or the store is away.
@Suite struct AbsenceTests {
    @Test("a batch that ended while the node manager was dead goes when it is back")
    func managerAway() {
        var world = World()
        for id in objects(42, 0..<10) + objects(7, 0..<5) { world.store.put(id, at: world.now) }
        world.connect()
        world.restartManager()
        world.now += 30_000
        world.server.end(42, at: world.now, kept: [object(42, 3)], adopted: [object(7, 4)])
        world.now += 30_000
        world.connect()
        #expect(Set(world.store.objects.keys) == Set(objects(7, 0..<4) + [object(42, 3)]))
        #expect(world.acknowledged == world.server.log.last?.id)
    }

    @Test(
        "objects put while the node manager was dead are reported, or go when their batch has ended"
    )
    func putWhileAway() {
        var world = World()
        world.connect()
        world.restartManager()
        world.now += 10_000
        world.store.put(object(7, 1), at: world.now)
        world.store.put(object(42, 1), at: world.now)
        world.server.end(42, at: world.now)
        world.now += 10_000
        world.store.put(object(42, 2), at: world.now)
        world.connect()
        #expect(Set(world.store.objects.keys) == [object(7, 1)])
        #expect(world.isLocated(object(7, 1)))
    }

    @Test("a batch that ended while the server was cut off goes when it is reached again")
    func serverCut() {
        var world = World()
        world.connect()
        for id in objects(42, 0..<10) { world.store.put(id, at: world.now) }
        world.settle()
        world.cutServer()
        world.endBatch(42)
        world.settle()
        #expect(world.store.objects.count == 10)
        world.now += 3000
        world.connectServer()
        world.settle()
        #expect(world.store.objects.isEmpty)
        #expect(world.acknowledged == world.server.log.last?.id)
    }

    @Test("a cut in the middle of a deletion neither stops it nor acknowledges it early")
    func serverCutInTheMiddle() {
        var world = World { $0.deletionChunkCount = 10 }
        world.connect()
        for id in objects(42, 0..<30) { world.store.put(id, at: world.now) }
        world.settle()
        world.endBatch(42)
        world.serverAnswers()
        world.storeAnswers()
        world.cutServer()
        world.storeAnswers()
        world.connectServer()
        world.serverAnswers()
        #expect(world.acknowledged == nil)
        world.settle()
        #expect(world.store.deletions.map(\.count) == [10, 10, 10])
        #expect(world.acknowledged == world.server.log.last?.id)
    }

    @Test(
        "an acknowledgement that was lost with the connection is said again, and nothing is repeated"
    )
    func lostAcknowledgement() {
        var world = World()
        world.connect()
        world.store.put(object(42, 1), at: world.now)
        world.settle()
        world.endBatch(42)
        world.serverAnswers()
        world.storeAnswers()
        #expect(world.toServer.contains { $0.1[1] == "ACK" })
        world.cutServer()
        world.connectServer()
        world.settle()
        #expect(world.acknowledged == world.server.log.last?.id)
        #expect(world.store.deletions.count == 1)
    }

    @Test("a store's connection that breaks in the middle of a deletion: the entry is read again")
    func storeCutInTheMiddle() {
        var world = World { $0.deletionChunkCount = 10 }
        world.connect()
        for id in objects(42, 0..<30) + [object(7, 1)] { world.store.put(id, at: world.now) }
        world.settle()
        world.endBatch(42, adopted: [object(7, 1)])
        world.serverAnswers()
        world.storeAnswers()
        world.cutStore()
        world.serverAnswers()
        #expect(world.acknowledged == nil)
        #expect(world.store.objects.count == 21)
        world.connectStore()
        world.settle()
        #expect(world.store.objects.isEmpty)
        #expect(world.acknowledged == world.server.log.last?.id)
    }

    @Test("news that come while the store is away wait for it")
    func storeAway() {
        var world = World()
        for id in [object(7, 1), object(42, 1)] { world.store.put(id, at: world.now) }
        world.connect()
        world.cutStore()
        world.endBatch(42, adopted: [object(7, 1)])
        world.settle()
        #expect(world.acknowledged == nil)
        world.connectStore()
        world.settle()
        #expect(world.store.objects.isEmpty)
        #expect(world.acknowledged == world.server.log.last?.id)
    }

    @Test(
        "a store that died takes its locations with it, and what is put in the new one is reported")
    func storeDies() {
        var world = World()
        for id in objects(7, 0..<5) { world.store.put(id, at: world.now) }
        world.connect()
        world.cutStore()
        world.settle()
        #expect(!objects(7, 0..<5).contains { world.isLocated($0) })
        world.store = ModelStore()
        world.store.put(object(7, 9), at: world.now)
        world.connectStore()
        world.settle()
        #expect(world.isLocated(object(7, 9)))
        #expect(!world.isLocated(object(7, 1)))
    }

    @Test("a server that restarted without its memory is told everything, and nothing is deleted")
    func serverForgets() {
        var world = World()
        for id in objects(7, 0..<5) { world.store.put(id, at: world.now - 60_000) }
        world.connect()
        world.cutServer()
        world.server.restart()
        world.connectServer()
        world.settle()
        #expect(world.server.locations.count == 5)
        #expect(world.store.objects.count == 5)
        #expect(world.manager.isIdle)
    }

    @Test("deletions go on after a server restarted, with the new server's log")
    func deletionsAfterRestart() {
        var world = World()
        for id in objects(7, 0..<5) { world.store.put(id, at: world.now) }
        world.connect()
        world.endBatch(1)
        world.settle()
        world.cutServer()
        world.server.restart()
        world.connectServer()
        world.settle()
        world.endBatch(7)
        world.settle()
        #expect(world.store.objects.isEmpty)
        #expect(world.acknowledged == world.server.log.last?.id)
    }

    @Test("an object put again after it was freed, while nobody looked, is another one and stays")
    func putAgainAfterFree() {
        var world = World()
        for id in objects(7, 0..<2) { world.store.put(id, at: world.now) }
        world.connect()
        world.restartManager()
        world.server.free(objects(7, 0..<2), at: world.now + 3000)
        world.store.evict(object(7, 0))
        world.store.put(object(7, 0), at: world.now + 6000)
        world.now += 9000
        world.connect()
        #expect(Set(world.store.objects.keys) == [object(7, 0)])
        #expect(world.isLocated(object(7, 0)))
    }

    @Test(
        "a batch id that was used again is not emptied by the old batch's end",
        arguments: [0, -7_200_000, 7_200_000])
    func batchUsedAgain(clockOffset: Int64) {
        var world = World()
        world.server.clockOffset = clockOffset
        world.store.put(object(42, 1), at: world.now)
        world.connect()
        world.restartManager()
        world.now += 10_000
        world.server.end(42, at: world.now)
        world.now += 3_600_000
        world.server.ended = []
        world.store.put(object(42, 2), at: world.now)
        world.connect()
        #expect(Set(world.store.objects.keys) == [object(42, 2)])
    }

    @Test("clocks that differ by hours change nothing", arguments: [-7_200_000, 7_200_000])
    func clocksDiffer(clockOffset: Int64) {
        var world = World()
        world.server.clockOffset = clockOffset
        world.store.put(object(42, 1), at: world.now)
        world.connect()
        world.store.put(object(42, 2), at: world.now)
        world.settle()
        world.endBatch(42)
        world.settle()
        #expect(world.store.objects.isEmpty)
    }

    @Test("an object in use when the store's connection broke still goes")
    func promisedBeforeTheCut() {
        var world = World()
        world.store.put(object(7, 1), at: world.now, isInUse: true)
        world.connect()
        world.now += 5000
        world.free([object(7, 1)])
        world.settle()
        world.cutStore()
        world.store.objects[object(7, 1)]?.isInUse = false
        world.connectStore()
        world.settle()
        #expect(!world.has(object(7, 1)))
    }

    @Test("objects that are in the list and not in the replay do not hold up the rest for ever")
    func spilledObjects() {
        var world = World()
        world.store.put(object(7, 1), at: world.now)
        world.connectStore()
        world.store.objects[object(7, 2)] = ModelStore.Object(byteCount: 1, createdAt: world.now)
        world.connectServer()
        world.settle()
        #expect(!world.manager.isIdle)
        world.advance(2000)
        world.settle()
        #expect(world.manager.isIdle)
        #expect(world.isLocated(object(7, 1)))
    }
}
