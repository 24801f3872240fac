import Testing

@testable import GCSClient

@Suite struct BatchTests {
    @Test("an object on a disk is told with its place there")
    func spilledObject() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        try await client.withBatch(name: "one") { batch in
            let id = try await batch.addObject(on: "n1", byteCount: 7)
            let url = "/spill/n1-multi-1?offset=0&size=79"
            _ = try await client.reply(
                to: Command("GCS.OBJECT", "SPILLED").adding([id]).adding("n2").adding(url))
            let object = try #require(try await client.objectInfo(id))
            #expect(
                object.locations == [
                    .init(node: "n1", isPrimary: true),
                    .init(node: "n2", isPrimary: false, url: url),
                ])
        }
    }

    @Test("a batch ends with its scope; what it kept is its parent's")
    func scope() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let (id, kept, task) = try await client.withBatch(name: "outer") { outer in
            #expect(Batch.current === outer)
            let task = try await outer.addTask(
                spec: Array("two words".utf8), state: .running, arguments: [outer.newObjectID()])
            try await outer.addObject(task.output(1), on: "n1", byteCount: 7)
            let inner = try await client.withBatch(name: "inner") { inner in
                #expect(try await inner.info().parent == outer.id)
                let result = try await inner.addObject(on: "n1", byteCount: 5, isPrimary: false)
                try await inner.addObject(on: "n1", byteCount: 5)
                #expect(try await inner.keep(result) == 1)
                #expect(try await inner.keep(result) == 0)
                return result
            }
            #expect(Batch.current === outer)
            let object = try #require(try await client.objectInfo(inner))
            #expect(object.batch == outer.id && !object.isKept && object.byteCount == 5)
            #expect(object.locations == [.init(node: "n1", isPrimary: false)])
            let info = try await outer.info()
            #expect(info.name == "outer" && info.status == .active && info.taskCount == 1)
            #expect(info.objectCount == 2 && info.timeoutMilliseconds == nil)
            let record = try #require(try await client.taskInfo(task))
            #expect(record.spec == Array("two words".utf8) && record.state == .running)
            #expect(record.batch == outer.id && record.arguments.count == 1)
            try await client.setState(.finished, of: task)
            #expect(try await client.taskInfo(task)?.state == .finished)
            try await outer.keep(inner)
            return (outer.id, inner, task)
        }
        #expect(Batch.current == nil)
        #expect(try await client.objectInfo(kept)?.batch == .root)
        #expect(try await client.taskInfo(task) == nil)
        await #expect(throws: GCSError.batchEnded(id)) { try await client.batchInfo(id) }
    }

    @Test("an error in the scope ends the batch and comes out as it was")
    func bodyThrows() async throws {
        struct Mishap: Error {}
        let server = try ServerProcess()
        let client = try await server.connect()
        var id = BatchID.root
        await #expect(throws: Mishap.self) {
            try await client.withBatch { batch in
                id = batch.id
                throw Mishap()
            }
        }
        await #expect(throws: GCSError.batchEnded(id)) { try await client.batchInfo(id) }
        await #expect(throws: Mishap.self) {
            try await client.withBatch { batch in
                try await client.destroyBatch(batch.id)
                throw Mishap()
            }
        }
    }

    @Test("cancelling the task ends its batches, inner and outer")
    func cancellation() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let (started, announce) = AsyncStream.makeStream(of: BatchID.self)
        let work = Task {
            try await client.withBatch { outer in
                announce.yield(outer.id)
                try await client.withBatch { inner in
                    announce.yield(inner.id)
                    try await Task.sleep(for: .seconds(60))
                }
            }
        }
        var ids: [BatchID] = []
        for await id in started {
            ids.append(id)
            if ids.count == 2 { break }
        }
        work.cancel()
        await #expect(throws: CancellationError.self) { try await work.value }
        for id in ids {
            await #expect(throws: GCSError.batchEnded(id)) { try await client.batchInfo(id) }
        }
        let late = Task {
            try? await Task.sleep(for: .seconds(60))
            try await client.withBatch { _ in Issue.record("the body ran") }
        }
        late.cancel()
        await #expect(throws: CancellationError.self) { try await late.value }
    }

    @Test("a thousand concurrent tasks, each in its own batch, name only their own ids")
    func concurrency() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let ids = try await withThrowingTaskGroup(of: BatchID.self) { group in
            for number in 0..<1000 {
                group.addTask { try await Self.job(number, client) }
            }
            return try await group.reduce(into: Set<BatchID>()) { $0.insert($1) }
        }
        #expect(ids.count == 1000)
        var left: [BatchInfo] = []
        for try await batch in client.batches() { left.append(batch) }
        #expect(left.map(\.id) == [.root])
        #expect(left.first?.objectCount == 1000)
    }

    /// Makes, keeps and counts in nested batches, with rests so that the tasks mix.
    private static func job(_ number: Int, _ client: GCSClient) async throws -> BatchID {
        try await client.withBatch(name: "job \(number)", timeout: .seconds(30)) { batch in
            for turn in 0..<3 {
                let current = try #require(Batch.current)
                #expect(current === batch)
                let task = try await current.addTask(spec: Array("\(number)".utf8))
                let object = try await current.addObject(on: "n", byteCount: 1)
                #expect(task.batch == batch.id && object.batch == batch.id)
                if turn == 0 { try await batch.keep(object) }
                await Task.yield()
                async let inner = client.withBatch { inner in
                    try await inner.addTask(spec: [])
                    return (inner.id, try await inner.info().parent)
                }
                let (id, parent) = try await inner
                #expect(parent == batch.id && id != batch.id)
                #expect(Batch.current === batch)
            }
            let info = try await batch.info()
            #expect(info.name == "job \(number)")
            #expect(info.taskCount == 3 && info.objectCount == 2 && info.keptCount == 1)
            return batch.id
        }
    }

    @Test("a batch that begins here is ended elsewhere, by its number")
    func elsewhere() async throws {
        let server = try ServerProcess()
        let here = try await server.connect()
        let there = try await server.connect()
        let batch = try await here.startBatch(id: BatchID(rawValue: 42), name: "apart")
        let task = try await there.batch(batch.id).addTask(spec: [1, 2])
        #expect(try await here.taskInfo(task)?.spec == [1, 2])
        #expect(try await there.endBatch(batch.id, collects: false) == .ended)
        #expect(try await here.batchInfo(batch.id).status == .done)
        #expect(try await there.endBatch(batch.id) == .collected)
        await #expect(throws: GCSError.batchEnded(batch.id)) {
            try await batch.addTask(spec: [])
        }
    }

    @Test("a batch that a running one needs is deferred, and goes with the end of that one")
    func deferral() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let first = try await client.startBatch()
        let object = try await first.addObject(on: "n", byteCount: 1)
        try await client.withBatch { second in
            try await second.addTask(spec: [], arguments: [object])
            #expect(try await first.end() == .deferred)
            let info = try await first.info()
            #expect(info.status == .deferred && info.dependents == [second.id])
            #expect(try await second.info().dependsOn == [first.id])
            var waiting: [BatchID] = []
            for try await batch in client.batches(status: .deferred) { waiting.append(batch.id) }
            #expect(waiting == [first.id])
        }
        await #expect(throws: GCSError.batchEnded(first.id)) { try await first.info() }
    }

    @Test("objects change hands between batches")
    func ownership() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let first = try await client.startBatch(keepsRecords: true)
        let second = try await client.startBatch()
        let given = try await first.addObject(on: "n", byteCount: 1)
        let taken = try await first.addObject(on: "n", byteCount: 1)
        #expect(try await first.transfer(given, to: second.id) == 1)
        #expect(try await second.adopt(taken, given) == 1)
        #expect(try await second.info().objectCount == 2)
        #expect(try await client.freeObjects([given]) == 1)
        #expect(try await first.end() == .ended)
        #expect(try await second.destroy() == 1)
        #expect(try await client.objectInfo(taken) == nil)
        #expect(try await client.keep([], of: first.id) == 0)
    }
}
