import GCSClient
import Testing

@Suite struct LineageTests {
    @Test("a batch that another depends on waits for it")
    func dependencies() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let first = try await client.startBatch()
        let second = try await client.startBatch()
        #expect(try await client.depend(second.id, on: first.id))
        #expect(try await second.depend(on: first.id) == false)
        await #expect(
            throws: GCSError.server(
                "ERR batch \(first.id) cannot depend on batch \(first.id): it is itself or an ancestor"
            )
        ) { try await first.depend(on: first.id) }
        #expect(try await first.end() == .deferred)
        #expect(try await second.end() == .collected)
        await #expect(throws: GCSError.batchEnded(first.id)) { try await first.info() }
    }

    @Test("a checkpoint lets go of what came before it on the actor")
    func checkpoint() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let actor = RecordID(batch: .root, unique: 1, index: 0)
        let first = try await client.startBatch()
        let second = try await client.startBatch()
        let saved = try await first.addTask(spec: [], actor: actor)
        try await second.addTask(spec: [], actor: actor)
        #expect(try await second.info().dependsOn == [first.id])
        #expect(try await first.end() == .deferred)
        try await client.checkpoint(actor, at: saved)
        await #expect(throws: GCSError.batchEnded(first.id)) { try await first.info() }
        await #expect(throws: GCSError.server("NOTASK no such task \(saved)")) {
            try await client.checkpoint(actor, at: saved)
        }
    }

    @Test("a task is cancelled by telling those who listen to it")
    func cancellation() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let batch = try await client.startBatch()
        let task = try await batch.addTask(spec: [])
        #expect(try await client.cancelTask(task) == 0)
        let unknown = batch.newTaskID()
        await #expect(throws: GCSError.server("NOTASK no such task \(unknown)")) {
            try await client.cancelTask(unknown)
        }
    }

    @Test("what a freed object was made from goes too, if asked for")
    func recursion() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let batch = try await client.startBatch()
        let given = try await batch.addObject(on: "n", byteCount: 1)
        let task = try await batch.addTask(spec: [], state: .finished, arguments: [given])
        let made = RecordID(batch: task.batch, unique: task.unique, index: 1)
        try await batch.addObject(made, on: "n", byteCount: 1)
        #expect(
            try await client.freeObjects([made], includesTasks: true, isRecursive: true) == 2)
        #expect(try await batch.info().taskCount == 0)
        #expect(try await client.objectInfo(given) == nil)
    }

    @Test("a pinned object outlives its batch, and goes with its pin")
    func pins() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let batch = try await client.startBatch()
        let object = try await batch.addObject(on: "n", byteCount: 1)
        #expect(try await client.pin([object]) == 1)
        #expect(try await client.pin([object]) == 0)
        #expect(try await client.pin([]) == 0)
        #expect(try await client.freeObjects([object]) == 0)
        #expect(try await batch.end() == .collected)
        let info = try #require(try await client.objectInfo(object))
        #expect(info.isPinned && info.batch == .root)
        #expect(try await client.unpin([object, batch.newObjectID()]) == 1)
        #expect(try await client.objectInfo(object) == nil)
        await #expect(throws: GCSError.batchEnded(batch.id)) { try await client.pin([object]) }
    }

    @Test("references are counted, and the last one takes the object along if that is asked for")
    func references() async throws {
        let server = try ServerProcess("--reference-counting", "yes")
        let client = try await server.connect()
        let batch = try await client.startBatch()
        let object = try await batch.addObject(on: "n", byteCount: 1)
        let other = try await batch.addObject(on: "n", byteCount: 1)
        func held(_ process: UInt32, _ object: RecordID) -> Reference {
            Reference(node: "n", processID: process, object: object)
        }
        #expect(
            try await client.addReference(
                held(1, object), byteCount: 1, site: "main.swift:3", isDriver: true))
        #expect(try await client.addReference(held(1, object)) == false)
        var pending = held(2, object)
        pending.type = .usedByPendingTask
        #expect(try await client.addReference(pending))
        #expect(try await client.addReference(held(3, other)))
        #expect(try await client.objectInfo(object)?.referenceCount == 2)
        #expect(try await client.removeReference(held(2, object)) == false)
        #expect(try await client.clearReferences(of: "n", processID: 1) == 1)
        #expect(try await client.objectInfo(object)?.referenceCount == 1)
        #expect(try await client.removeReference(pending))
        #expect(try await client.objectInfo(object) == nil)
        #expect(try await client.clearReferences(of: "n") == 1)
        #expect(try await client.objectInfo(other) == nil)
    }
}
