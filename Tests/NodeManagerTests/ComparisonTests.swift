import Identifiers
import NodeManager
import Testing

/// What happens when the log no longer reaches back to this node's last acknowledgement.
@Suite struct ComparisonTests {
    /// Objects 0..<5 of batch 7 reported long ago, their node manager dead for a minute; then
    /// 0 and 1 were freed, 5 and 6 were put, and the log was trimmed.
    private func trimmedWhileAway() -> World {
        var world = World()
        for id in objects(7, 0..<5) { world.store.put(id, at: world.now) }
        world.connect()
        for _ in 0..<60 {
            world.advance(1000)
            world.settle()
        }
        world.restartManager()
        world.now += 30_000
        world.server.free(objects(7, 0..<2), at: world.now)
        world.server.trimLog()
        for id in objects(7, 5..<7) { world.store.put(id, at: world.now) }
        world.now += 30_000
        return world
    }

    @Test("objects reported before the absence that have no record go, all others are reported")
    func comparesWhole() {
        var world = trimmedWhileAway()
        world.connect()
        #expect(Set(world.store.objects.keys) == Set(objects(7, 2..<7)))
        #expect(objects(7, 2..<7).allSatisfy { world.isLocated($0) })
        #expect(world.heard("EXISTS").count == 5)
        #expect(world.acknowledged == world.server.lastTrimmed)
    }

    @Test("it is done once: the next time the log reaches back")
    func onlyOnce() {
        var world = trimmedWhileAway()
        world.connect()
        world.restartManager()
        world.connect()
        #expect(world.heard("EXISTS").count == 5)
    }

    @Test("it starts anew when it was interrupted, with what it may delete unchanged")
    func interrupted() {
        var world = trimmedWhileAway()
        world.connectStore()
        world.connectServer()
        world.storeTells()
        world.storeAnswers()
        world.serverAnswers()
        #expect(world.toServer.contains { $0.1[0] == "EXISTS" })
        world.cutServer()
        world.now += 60_000
        world.connectServer()
        world.settle()
        #expect(Set(world.store.objects.keys) == Set(objects(7, 2..<7)))
        #expect(world.acknowledged == world.server.lastTrimmed)
    }

    @Test(
        "it starts anew when the node manager died in the middle, and still deletes nothing unreported"
    )
    func diedInTheMiddle() {
        var world = trimmedWhileAway()
        world.connectStore()
        world.connectServer()
        world.storeTells()
        world.storeAnswers()
        world.serverAnswers()
        world.restartManager()
        world.now += 60_000
        world.connect()
        #expect(Set(world.store.objects.keys).isSuperset(of: objects(7, 2..<7)))
    }

    @Test("it deletes again what a store whose connection broke had not confirmed")
    func storeCut() {
        var world = trimmedWhileAway()
        world.connectStore()
        world.connectServer()
        world.storeTells()
        world.storeAnswers()
        world.serverAnswers()
        world.serverAnswers()
        #expect(world.toStore.count == 1)
        world.cutStore()
        world.settle()
        world.connectStore()
        world.settle()
        #expect(Set(world.store.objects.keys) == Set(objects(7, 2..<7)))
        #expect(world.acknowledged == world.server.lastTrimmed)
    }

    @Test("a node manager that was only cut off knows exactly what it had reported")
    func cutOff() {
        var world = World()
        world.connect()
        for id in objects(7, 0..<3) { world.store.put(id, at: world.now) }
        world.settle()
        world.cutServer()
        world.store.put(object(7, 3), at: world.now)
        world.storeTells()
        world.server.free([object(7, 0)], at: world.now)
        world.server.trimLog()
        world.now += 1000
        world.connectServer()
        world.settle()
        #expect(Set(world.store.objects.keys) == Set(objects(7, 1..<4)))
    }

    @Test("a log that is trimmed under a connected node is noticed, and made up for")
    func trimmedWhileConnected() {
        var world = World()
        world.connect()
        for id in objects(7, 0..<3) { world.store.put(id, at: world.now) }
        world.settle()
        world.server.free([object(7, 0)], at: world.now)
        world.server.trimLog()
        world.endBatch(9)
        world.settle()
        #expect(Set(world.store.objects.keys) == Set(objects(7, 1..<3)))
        #expect(world.acknowledged == world.server.log.last?.id)
    }

    @Test("objects created shortly before the server last heard of the node are kept and reported")
    func inDoubt() {
        var world = World()
        world.connect()
        world.store.put(object(7, 1), at: world.now)
        world.advance(1000)
        world.settle()
        world.restartManager()
        world.server.free([object(7, 1)], at: world.now)
        world.server.trimLog()
        world.now += 60_000
        world.connect()
        #expect(world.has(object(7, 1)))
        #expect(world.isLocated(object(7, 1)))
    }

    @Test("a node whose reports were never complete deletes nothing for want of a record")
    func neverComplete() {
        var world = World()
        for id in objects(7, 0..<3) { world.store.put(id, at: world.now) }
        world.now += 60_000
        world.connectServer()
        world.settle()
        for _ in 0..<60 {
            world.advance(1000)
            world.settle()
        }
        world.restartManager()
        world.server.end(9, at: world.now)
        world.server.trimLog()
        world.now += 1000
        world.connect()
        #expect(world.store.objects.count == 3)
        #expect(world.server.locations.count == 3)
    }

    @Test("a node that is new to a server whose log was trimmed reports everything")
    func newNode() {
        var world = World()
        for id in objects(7, 0..<3) { world.store.put(id, at: world.now) }
        world.server.end(9, at: world.now)
        world.server.trimLog()
        world.now += 60_000
        world.connect()
        #expect(world.heard("EXISTS").isEmpty)
        #expect(world.server.locations.count == 3)
        #expect(world.acknowledged == world.server.lastTrimmed)
    }

    @Test("a server of another run deletes nothing by its silence, also when its log was trimmed")
    func otherRun() {
        var world = World()
        for id in objects(7, 0..<3) { world.store.put(id, at: world.now) }
        world.connect()
        world.cutServer()
        world.now += 60_000
        let nodes = world.server.nodes
        world.server.restart()
        world.server.nodes = nodes
        world.server.end(9, at: world.now)
        world.server.trimLog()
        world.connectServer()
        world.settle()
        #expect(world.store.objects.count == 3)
        #expect(world.server.locations.count == 3)
    }
}
