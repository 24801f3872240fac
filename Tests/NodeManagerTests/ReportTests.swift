import Identifiers
import NodeManager
import RESP
import Testing

@Suite struct ReportTests {
    @Test("every sealed object is reported with the bytes of data and metadata")
    func adds() {
        var world = World()
        world.store.put(object(7, 1), at: world.now, byteCount: 123)
        world.connect()
        world.store.put(object(7, 2), at: world.now, byteCount: 456)
        world.settle()
        #expect(
            world.heard("GCS.OBJECT") == [
                ["GCS.OBJECT", "ADD", "\(object(7, 1))", "n1", "123"],
                ["GCS.OBJECT", "ADD", "\(object(7, 2))", "n1", "456"],
            ])
    }

    @Test(
        "the registration says the node's address and the store's path, after asking for the node")
    func registration() {
        var world = World()
        world.connect()
        #expect(
            world.heard("GCS.NODE").prefix(2) == [
                ["GCS.NODE", "INFO", "n1"],
                ["GCS.NODE", "REGISTER", "n1", "ADDRESS", "10.0.0.1", "STORE", "/tmp/s"],
            ])
    }

    @Test("an evicted object is taken back")
    func removes() {
        var world = World()
        world.connect()
        world.store.put(object(7, 1), at: world.now)
        world.settle()
        world.store.evict(object(7, 1))
        world.settle()
        #expect(
            world.heard("GCS.OBJECT REMOVE") == [["GCS.OBJECT", "REMOVE", "\(object(7, 1))", "n1"]])
        #expect(!world.isLocated(object(7, 1)))
    }

    @Test("objects that go because their batch ended are not taken back one by one")
    func noRemovesForBatch() {
        var world = World()
        world.connect()
        for id in objects(42, 0..<10) { world.store.put(id, at: world.now) }
        world.settle()
        world.endBatch(42)
        world.settle()
        #expect(world.store.objects.isEmpty)
        #expect(world.heard("GCS.OBJECT REMOVE").isEmpty)
    }

    @Test("no more than the window is under way, and all is reported in the end")
    func window() {
        var world = World { $0.reportWindowCount = 16 }
        world.connect()
        for id in objects(7, 0..<100) { world.store.put(id, at: world.now) }
        world.storeTells()
        #expect(world.toServer.count == 16)
        world.settle()
        #expect(world.server.locations.count == 100)
    }

    @Test("an object that went before its report was sent is never mentioned")
    func goneBeforeReport() {
        var world = World { $0.reportWindowCount = 1 }
        world.connect()
        for id in objects(7, 0..<3) { world.store.put(id, at: world.now) }
        world.storeTells()
        world.store.evict(object(7, 2))
        world.storeTells()
        world.settle()
        #expect(world.heard("GCS.OBJECT").count == 2)
        #expect(world.server.records == Set(objects(7, 0..<2)))
    }

    @Test("a heartbeat every second says how much the node holds")
    func heartbeat() {
        var world = World()
        world.store.put(object(7, 1), at: world.now, byteCount: 1000)
        world.connect()
        for _ in 0..<10 {
            world.advance(200)
            world.settle()
        }
        #expect(world.heard("GCS.NODE HEARTBEAT").count == 3)
        #expect(world.server.nodes["n1"]?["objects"] == "1")
        #expect(world.server.nodes["n1"]?["bytes"] == "1000")
    }

    @Test("a server that forgot the node is registered with again and told everything")
    func forgottenNode() {
        var world = World()
        for id in objects(7, 0..<3) { world.store.put(id, at: world.now) }
        world.connect()
        world.server.nodes = [:]
        world.server.records = []
        world.server.locations = [:]
        world.advance(1000)
        world.settle()
        #expect(world.server.locations.count == 3)
        #expect(world.store.objects.count == 3)
    }

    @Test("a registration that is refused is tried again a second later")
    func refused() {
        var world = World()
        world.connectStore()
        world.settle()
        world.isServerUp = true
        world.take(.serverConnected)
        let sent = world.toServer
        world.toServer = []
        for (number, _) in sent {
            world.take(.reply(number, .error(code: "LOADING", text: "reading the log")))
        }
        #expect(world.toServer.isEmpty)
        world.advance(1000)
        world.settle()
        #expect(world.manager.isIdle)
    }

    @Test("the log is read every five seconds although no message came")
    func netUnderTheSubscription() {
        var world = World()
        world.connect()
        world.store.put(object(42, 1), at: world.now)
        world.settle()
        world.server.end(42, at: world.now)
        world.advance(5000)
        world.settle()
        #expect(!world.has(object(42, 1)))
    }

    @Test("an object that the server refuses for another reason stays, and is reported again")
    func refusedObject() {
        var world = World()
        world.connect()
        world.store.put(object(7, 1), at: world.now)
        world.storeTells()
        let sent = world.toServer
        world.toServer = []
        for (number, _) in sent { world.take(.reply(number, .error(code: "OOM", text: "full"))) }
        world.settle()
        #expect(world.has(object(7, 1)))
        #expect(!world.manager.isIdle)
        world.advance(10_000)
        world.settle()
        #expect(world.isLocated(object(7, 1)))
        #expect(world.manager.isIdle)
    }
}
