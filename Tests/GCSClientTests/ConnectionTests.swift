import Foundation
import GCSClient
import Testing

@Suite struct ConnectionTests {
    @Test("what the server refuses has its type")
    func errors() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let absent = BatchID(rawValue: 7)
        await #expect(throws: GCSError.noBatch(absent)) { try await client.endBatch(absent) }
        await #expect(throws: GCSError.noBatch(absent)) {
            try await client.startBatch(parent: absent)
        }
        await #expect(throws: GCSError.server("ERR batch 0 is the root, which never ends")) {
            try await client.endBatch(.root)
        }
        let batch = try await client.startBatch(id: absent)
        await #expect(throws: GCSError.server("ERR batch 7 already exists")) {
            try await client.startBatch(id: absent)
        }
        try await batch.end()
        await #expect(throws: GCSError.batchEnded(absent)) { try await batch.end() }
        await #expect(throws: GCSError.batchEnded(absent)) {
            try await client.keep([batch.newObjectID()], of: absent)
        }
        #expect("\(GCSError.batchEnded(absent))" == "batch 7 has ended")
        await client.close()
        await #expect(throws: GCSError.connection("the client is closed")) {
            try await client.batchInfo(.root)
        }
        await client.close()
    }

    @Test("whoever cannot be reached or refuses is told of at once")
    func refusals() async throws {
        await #expect(
            throws: GCSError.connection(
                "no connection to /nowhere/s: no such file or directory")
        ) { try await GCSClient.connect(to: "/nowhere/s") }
        await #expect(
            throws: GCSError.connection(
                "an address is host:port or a path, found ':'")
        ) { try await GCSClient.connect(to: ":") }
        // It has no password.
        let server = try ServerProcess()
        _ = try await server.connect()
        let refused = await #expect(throws: GCSError.self) {
            try await server.connect(password: "secret")
        }
        #expect("\(try #require(refused))".contains("AUTH refused"))
    }

    @Test("a server that comes back without its memory: calls wait, old batches are unknown")
    func restart() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let batch = try await client.startBatch(timeout: .seconds(30))
        try await batch.addTask(spec: [])
        server.stop()
        // What is sent before the client hears of the end is lost, and not repeated.
        try await Task.sleep(for: .milliseconds(200))
        let waiting = Task { try await client.batchInfo(.root) }
        try await Task.sleep(for: .milliseconds(100))
        try server.start()
        #expect(try await waiting.value.id == .root)
        // Written as it is, the task would be left with the root.
        await #expect(throws: GCSError.noBatch(batch.id)) { try await batch.addTask(spec: []) }
        await #expect(throws: GCSError.noBatch(batch.id)) {
            try await batch.keep(batch.newTaskID())
        }
        #expect(try await client.batchInfo(.root).taskCount == 0)
        await #expect(throws: GCSError.noBatch(batch.id)) { try await batch.end() }
        let next = try await client.withBatch { try await $0.addTask(spec: []) }
        #expect(try await client.taskInfo(next) == nil)
    }

    @Test("a scope whose server went away and stays away says so, and hangs on no longer than told")
    func loss() async throws {
        let server = try ServerProcess()
        var limits = GCSClient.Limits()
        limits.connectTimeout = .milliseconds(300)
        let client = try await server.connect(limits: limits)
        let error = await #expect(throws: GCSError.self) {
            try await client.withBatch { _ in server.stop() }
        }
        guard case .connection(let reason) = error else {
            Issue.record("found \(String(describing: error))")
            return
        }
        #expect(reason.contains(server.address))
    }

    @Test("one call more than the limit is refused, and the others are answered")
    func callLimit() async throws {
        let server = try ServerProcess()
        var limits = GCSClient.Limits()
        limits.callCountMax = 10
        let client = try await server.connect(limits: limits)
        server.stop()
        try await Task.sleep(for: .milliseconds(200))
        let calls = (0..<11).map { _ in Task { try await client.batchInfo(.root) } }
        try await Task.sleep(for: .milliseconds(200))
        try server.start()
        var refusals: [any Error] = []
        for call in calls {
            if case .failure(let error) = await call.result { refusals.append(error) }
        }
        #expect(refusals as? [GCSError] == [.connection("10 calls are under way, the limit")])
    }

    @Test("a lease is renewed while its scope lives, and runs out when its driver is gone")
    func lease() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        let driver = try await server.connect()
        let left = try await driver.startBatch(timeout: .milliseconds(900))
        let info = try await left.info()
        #expect(info.timeoutMilliseconds.map { (1...1000).contains($0) } == true)
        await driver.close()
        try await client.withBatch(timeout: .seconds(1)) { batch in
            try await Task.sleep(for: .milliseconds(2500))
            #expect(try await batch.info().status == .active)
            await #expect(throws: GCSError.batchEnded(left.id)) {
                try await client.batchInfo(left.id)
            }
            batch.letGo()
            #expect(try await eventually { (try? await batch.info()) == nil })
        }
    }
}
