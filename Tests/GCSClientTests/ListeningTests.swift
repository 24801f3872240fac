import GCSClient
import Testing

@Suite struct ListeningTests {
    @Test("the end of a batch is heard of, with what stays and what else goes")
    func notices() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        var events = try await client.events().makeAsyncIterator()
        let other = try await client.startBatch()
        let foreign = try await other.addObject(on: "n", byteCount: 1)
        let (id, kept) = try await client.withBatch { batch in
            try await batch.addTask(spec: [])
            let kept = try await batch.addObject(on: "n", byteCount: 1)
            try await batch.keep(kept)
            try await batch.adopt(foreign)
            return (batch.id, kept)
        }
        guard case .batch(let end) = try await events.next() else {
            Issue.record("no end of a batch")
            return
        }
        #expect(end.batch == id && end.reason == .end && end.taskCount == 1)
        #expect(end.kept == [kept] && end.adopted == [foreign] && end.objectCount == 1)
        try await client.freeObjects([kept])
        let notice = try await events.next()
        #expect(notice == .objects([kept]))
        try await other.destroy()
        guard case .batch(let destroyed) = try await events.next() else {
            Issue.record("no end of a batch")
            return
        }
        #expect(destroyed.reason == .destroy && destroyed.logID > end.logID)
        await client.close()
        let last = try await events.next()
        #expect(last == nil)
    }

    @Test("a lost connection leaves a gap, and notices go on behind it")
    func gap() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        var events = try await client.events().makeAsyncIterator()
        server.stop()
        try server.start()
        let notice = try await events.next()
        #expect(notice == .gap)
        let id = try await client.withBatch { $0.id }
        guard case .batch(let end) = try await events.next() else {
            Issue.record("no end of a batch")
            return
        }
        #expect(end.batch == id)
    }

    @Test("a listener that does not read is ended with an error behind what it was given")
    func unread() async throws {
        let server = try ServerProcess()
        var limits = GCSClient.Limits()
        limits.unreadNoticeCountMax = 3
        let client = try await server.connect(limits: limits)
        let events = try await client.events()
        for _ in 0..<10 { try await client.withBatch { _ in } }
        try await Task.sleep(for: .milliseconds(100))
        let (count, error) = await Self.read(events)
        #expect(count == 3)
        #expect(error as? GCSError == .connection("3 notices unread, the limit"))
    }

    /// Reads to the end.
    private static func read(
        _ events: AsyncThrowingStream<DeletionNotice, any Error>
    ) async -> (count: Int, error: (any Error)?) {
        var count = 0
        do {
            for try await _ in events { count += 1 }
            return (count, nil)
        } catch {
            return (count, error)
        }
    }

    @Test("batches are listed page by page, and by their status")
    func list() async throws {
        let server = try ServerProcess()
        let client = try await server.connect()
        var started: Set<BatchID> = [.root]
        for number in 0..<1200 {
            started.insert(try await client.startBatch(name: "\(number)").id)
        }
        let done = try #require(started.max())
        #expect(try await client.endBatch(done, collects: false) == .ended)
        var found: Set<BatchID> = []
        for try await batch in client.batches() { found.insert(batch.id) }
        #expect(found == started)
        var ended: [BatchInfo] = []
        for try await batch in client.batches(status: .done) { ended.append(batch) }
        #expect(ended.map(\.id) == [done] && ended.first?.endedMilliseconds != nil)
    }
}
