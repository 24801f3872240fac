import Glibc
import Identifiers
import PlasmaProtocol
import Testing

@testable import PlasmaStore

/// What the external store has done is noted in slices; clients delete and read in between.
@Suite struct ExternalSliceTests {
    let directory = TestDirectory()

    private func store() throws -> TestStore {
        var configuration = StoreConfiguration(capacity: 10_000)
        configuration.externalDirectory = directory.path
        return try TestStore(configuration) { $0.sliceCountMax = 2 }
    }

    /// Hands a request over without letting the store do more than it does at once.
    private func receive(_ client: TestClient, _ write: (inout ByteBuffer) -> Void) {
        var buffer = ByteBuffer()
        write(&buffer)
        client.store.service.receive(client.session, buffer.bytes)
    }

    /// Has all ten objects written, and the result taken but not noted.
    private func evictAll(_ store: TestStore, _ client: TestClient) throws {
        receive(client) { ByteCountMessage(byteCount: 10_000).write(.evictRequest, to: &$0) }
        while store.service.work() {}
        var wait = pollfd(
            fd: try #require(store.service.externalDescriptor), events: Int16(POLLIN), revents: 0)
        // The first result may be that of the sweep.
        while store.service.results.isEmpty || store.service.store.external?.isWriting(1) == false {
            #expect(poll(&wait, 1, 30_000) == 1)
            store.service.takeExternalResults()
            guard case .swept? = store.service.results.next else { break }
            store.service.hasTime = { false }
            _ = store.service.work()
            store.service.hasTime = { true }
        }
    }

    @Test(arguments: 0..<8) func objectsGoBetweenSlices(_ first: Int) throws {
        let store = try store()
        let client = try store.client()
        let other = try store.client()
        for index in 0..<10 { #expect(try client.put(testID(index), 1000) == nil) }
        try evictAll(store, client)
        store.service.hasTime = { false }
        // Objects that were noted, and others, are deleted or read after each slice.
        for index in [first, 9 - first / 2, (first + 5) % 10] {
            _ = store.service.work()
            receive(other) { DeleteRequest.write([testID(index)], to: &$0) }
            receive(other) { IDMessage(id: testID(index)).write(.containsRequest, to: &$0) }
            #expect(store.isSound)
        }
        store.service.hasTime = { true }
        store.settle()
        #expect(store.isSound)
        while !other.session.output.bytes.isEmpty {
            other.session.output.consume(other.session.output.bytes.count)
        }
        #expect(try client.body(.evictReply).count > 0)
        let gone = Set([first, 9 - first / 2, (first + 5) % 10])
        for index in 0..<10 {
            #expect(try client.contains(testID(index)) != gone.contains(index))
        }
        for index in 0..<10 where !gone.contains(index) {
            let data = try client.bytes(testID(index))?.data
            #expect(data == Array(repeating: 7, count: 1000))
            client.release(testID(index))
            #expect(try client.delete([testID(index)]) == [nil])
        }
        #expect(store.service.statistics.objectCount == 0)
        #expect(store.service.statistics.externalCount == 0)
        #expect(store.isSound)
        waitUntilNoFiles()
    }

    /// The thread removes files when it comes to that.
    private func waitUntilNoFiles() {
        for _ in 0..<1000 where !directory.objectFiles.isEmpty { usleep(5000) }
        #expect(directory.objectFiles.isEmpty)
    }
}
