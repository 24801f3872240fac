import Identifiers
import NodeManager
import Testing

@Suite struct DeletionTests {
    @Test("the end of a batch empties it, less what was kept, and leaves other batches alone")
    func endOfBatch() {
        var world = World()
        world.connect()
        for id in objects(42, 0..<10) + objects(7, 0..<5) { world.store.put(id, at: world.now) }
        world.settle()
        world.endBatch(42, kept: [object(42, 3)])
        world.settle()
        #expect(Set(world.store.objects.keys) == Set(objects(7, 0..<5) + [object(42, 3)]))
        #expect(world.acknowledged == world.server.log.last?.id)
        #expect(world.manager.isIdle)
    }

    @Test("adopted objects of other prefixes go with the batch")
    func adopted() {
        var world = World()
        world.connect()
        for id in objects(42, 0..<2) + objects(7, 0..<2) { world.store.put(id, at: world.now) }
        world.settle()
        world.endBatch(42, adopted: [object(7, 1), object(9, 1)])
        world.settle()
        #expect(Set(world.store.objects.keys) == [object(7, 0)])
    }

    @Test("freed objects go one by one")
    func freed() {
        var world = World()
        world.connect()
        for id in objects(7, 0..<4) { world.store.put(id, at: world.now) }
        world.settle()
        world.free([object(7, 1), object(7, 2)])
        world.settle()
        #expect(Set(world.store.objects.keys) == [object(7, 0), object(7, 3)])
    }

    @Test("an object put just before it was freed goes, although its notification came later")
    func freedBeforeMirrored() {
        var world = World()
        world.connect()
        world.store.put(object(7, 1), at: world.now)
        world.free([object(7, 1)])
        world.serverAnswers()
        world.settle()
        #expect(!world.has(object(7, 1)))
        #expect(!world.isLocated(object(7, 1)))
    }

    @Test("an object freed while its report was on its way is taken back when it is gone")
    func freedWhileReported() {
        var world = World()
        world.connect()
        world.store.put(object(7, 1), at: world.now)
        world.storeTells()
        world.server.free([object(7, 1)], at: world.now)
        world.serverAnswers()
        world.take(.message)
        world.settle()
        #expect(!world.has(object(7, 1)))
        #expect(!world.isLocated(object(7, 1)))
    }

    @Test("chunks are bounded, and the next one waits for the answer to the one before")
    func chunks() {
        var world = World { $0.deletionChunkCount = 100 }
        world.connect()
        for id in objects(42, 0..<250) { world.store.put(id, at: world.now) }
        world.settle()
        world.endBatch(42)
        world.serverAnswers()
        #expect(world.toStore.count == 1)
        world.storeAnswers()
        #expect(world.toStore.count == 1)
        world.settle()
        #expect(world.store.deletions.map(\.count) == [100, 100, 50])
    }

    @Test("an entry is acknowledged after the store answered for all of its objects, not before")
    func acknowledgesLast() {
        var world = World { $0.deletionChunkCount = 10 }
        world.connect()
        for id in objects(42, 0..<25) { world.store.put(id, at: world.now) }
        world.settle()
        world.endBatch(42)
        world.serverAnswers()
        for _ in 0..<2 {
            world.storeAnswers()
            world.serverAnswers()
            #expect(world.acknowledged == nil)
        }
        world.storeAnswers()
        world.serverAnswers()
        #expect(world.acknowledged == world.server.log.last?.id)
    }

    @Test("an entry about nothing that is here is acknowledged at once, behind those before it")
    func acknowledgesInOrder() {
        var world = World()
        world.connect()
        world.store.put(object(42, 1), at: world.now)
        world.settle()
        world.endBatch(42)
        world.endBatch(43)
        world.serverAnswers()
        world.serverAnswers()
        #expect(world.acknowledged == nil)
        world.settle()
        #expect(world.acknowledged == world.server.log.last?.id)
        world.endBatch(44)
        world.settle()
        #expect(world.acknowledged == world.server.log.last?.id)
    }

    @Test("what a server that removed the node has forgotten is acknowledged again")
    func acknowledgesAgain() {
        var world = World()
        world.connect()
        world.endBatch(42)
        world.settle()
        world.server.acknowledged = [:]
        world.cutServer()
        world.connectServer()
        world.settle()
        #expect(world.acknowledged == world.server.log.last?.id)
    }

    @Test("the same news told twice deletes once")
    func duplicates() {
        var world = World()
        world.connect()
        world.store.put(object(42, 1), at: world.now)
        world.settle()
        world.endBatch(42)
        world.take(.message)
        world.take(.message)
        world.settle()
        world.take(.message)
        world.settle()
        #expect(world.store.deletions == [[object(42, 1)]])
    }

    @Test("a log longer than a page is read to its end")
    func pages() {
        var world = World { $0.logPageCount = 3 }
        for batch in 1...10 { world.endBatch(Int64(batch)) }
        for batch in 1...10 { world.store.put(object(Int64(batch), 1), at: world.now - 5000) }
        world.connect()
        #expect(world.store.objects.isEmpty)
        #expect(world.acknowledged == world.server.log.last?.id)
    }

    @Test("an object put after its batch ended is deleted when the server says so")
    func latePut() {
        var world = World()
        world.connect()
        world.endBatch(42)
        world.settle()
        world.store.put(object(42, 1), at: world.now)
        world.settle()
        #expect(!world.has(object(42, 1)))
    }

    @Test("a kept object that is put after its batch ended stays")
    func lateKeptPut() {
        var world = World()
        world.connect()
        world.endBatch(42, kept: [object(42, 1)])
        world.settle()
        world.store.put(object(42, 1), at: world.now)
        world.settle()
        #expect(world.has(object(42, 1)))
        #expect(world.isLocated(object(42, 1)))
    }

    @Test("an object that a client holds counts as done and goes when it is released")
    func inUse() {
        var world = World()
        world.connect()
        world.store.put(object(42, 1), at: world.now, isInUse: true)
        world.settle()
        world.endBatch(42)
        world.settle()
        #expect(world.has(object(42, 1)))
        #expect(world.acknowledged == world.server.log.last?.id)
        world.store.release(object(42, 1))
        world.settle()
        #expect(!world.has(object(42, 1)))
        #expect(world.heard("GCS.OBJECT REMOVE").isEmpty)
        #expect(world.manager.isIdle)
    }

    @Test("an object evicted and put again while its deletion waited is another object")
    func recreatedWhileQueued() {
        var world = World { $0.deletionChunkCount = 1 }
        world.connect()
        for id in objects(7, 0..<2) { world.store.put(id, at: world.now) }
        world.settle()
        world.free(objects(7, 0..<2))
        world.serverAnswers()
        let first = world.toStore.first
        let last = first == .delete([object(7, 0)]) ? object(7, 1) : object(7, 0)
        world.store.evict(last)
        world.store.put(last, at: world.now)
        world.storeTells()
        world.settle()
        #expect(Set(world.store.objects.keys) == [last])
        #expect(world.isLocated(last))
    }

    @Test("reports go on between the chunks of a large deletion")
    func fairness() {
        var world = World { $0.deletionChunkCount = 10 }
        world.connect()
        for id in objects(42, 0..<100) { world.store.put(id, at: world.now) }
        world.settle()
        world.endBatch(42)
        world.serverAnswers()
        world.storeAnswers()
        world.store.put(object(7, 1), at: world.now)
        world.storeTells()
        world.serverAnswers()
        #expect(world.isLocated(object(7, 1)))
        #expect(world.store.deletions.count == 1)
    }

    @Test("an entry of a kind that is not known yet is passed over")
    func unknownEntry() {
        var world = World()
        world.connect()
        world.server.log.append(
            (LogID(milliseconds: UInt64(world.now), sequence: 0), ["actor", "17"]))
        world.take(.message)
        world.settle()
        #expect(world.acknowledged == world.server.log.last?.id)
    }
}
