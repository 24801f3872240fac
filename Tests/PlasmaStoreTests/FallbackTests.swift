import Foundation
import Glibc
import Identifiers
import PlasmaProtocol
import Testing

@testable import PlasmaStore

@Suite struct FallbackTests {
    private func store(
        capacity: Int = 10_000, fallback: Int = 20_000,
        directory: String = FileManager.default.temporaryDirectory.path
    ) throws -> TestStore {
        var configuration = StoreConfiguration(capacity: capacity)
        configuration.fallbackByteCountMax = fallback
        configuration.fallbackDirectory = directory
        return try TestStore(configuration)
    }

    @Test func objectsBesideThoseInUseGoToTheFile() throws {
        let store = try store()
        let client = try store.client()
        for index in 0..<10 { #expect(try client.create(testID(index), 1000).error == nil) }
        let inMemory = try client.create(testID(10), 0).file
        let reply = try client.create(testID(11), 9000, 100)
        #expect(reply.error == nil)
        #expect(reply.file.storeDescriptor != inMemory.storeDescriptor)
        #expect(reply.file.byteCount % 4096 == 8)
        let statistics = store.service.statistics
        #expect(statistics.fallbackByteCount == 9100 && statistics.fallbackCount == 1)
        #expect(statistics.usedByteCount == 10_000)
        client.send { ExtensionMessage.write(.extensionRequest, numbers: [1], to: &$0) }
        _ = try client.body(.extensionReply)
        client.send { EmptyMessage.write(.usageRequest, to: &$0) }
        let usage = try client.body(.usageReply).withUnsafeBytes { try StoreUsage($0) }
        #expect(usage.fallbackByteCount == 9100 && usage.usedByteCount == 10_000)
        #expect(store.service.debugString.contains("fallback 9100 of 20000 bytes"))
        #expect(store.isSound)
    }

    @Test func itsBytesAreReadByEveryClientAndItsRoomIsBounded() throws {
        let store = try store()
        let (maker, reader) = (try store.client(), try store.client())
        for index in 0..<10 { _ = try maker.create(testID(index), 1000) }
        let data = (0..<9000).map { UInt8(truncatingIfNeeded: $0) }
        #expect(try maker.createAndSeal(testID(20), data, [1, 2, 3]) == nil)
        let found = try reader.bytes(testID(20))
        #expect(found?.data == data && found?.metadata == [1, 2, 3])
        #expect(try maker.create(testID(21), 9000).error == nil)
        #expect(try maker.create(testID(22), 9000).error == .outOfMemory)
        // Only what nobody uses makes room in the file as well.
        reader.release(testID(20))
        #expect(try maker.create(testID(22), 9000).error == nil)
        #expect(try !reader.contains(testID(20)))
        #expect(store.isSound)
    }

    @Test func memoryIsUsedFirstAndEvictionComesBeforeTheFile() throws {
        let store = try store()
        let client = try store.client()
        for index in 0..<30 { #expect(try client.put(testID(index), 1000) == nil) }
        #expect(store.service.statistics.fallbackCount == 0)
        #expect(store.service.statistics.evictedCount > 0)
        #expect(try client.create(testID(99), 1000, evicts: false).error != nil)
    }

    @Test func withoutTheFlagAFullStoreRefuses() throws {
        let store = try TestStore(capacity: 1000)
        let client = try store.client()
        #expect(try client.create(testID(1), 1000).error == nil)
        #expect(try client.create(testID(2), 1).error == .outOfMemory)
    }

    @Test func aFileThatCannotBeMadeIsToldOnce() throws {
        let store = try store(directory: "/does/not/exist")
        let client = try store.client()
        #expect(try client.create(testID(1), 10_000).error == nil)
        #expect(try client.create(testID(2), 10).error == .outOfMemory)
        #expect(try client.create(testID(3), 10).error == .outOfMemory)
        let messages = store.service.takeMessages()
        #expect(messages.count == 1)
        #expect(messages.first?.contains("/does/not/exist") == true)
        #expect(store.isSound)
    }

    @Test func theFileGivesItsBlocksBackAndItsDescriptorStays() throws {
        let store = try store(capacity: 4 << 20, fallback: 8 << 20)
        let client = try store.client()
        _ = try client.create(testID(1), 4 << 20)
        var numbers: Set<Int32> = []
        var blocks = 0
        for round in 0..<20 {
            let reply = try client.create(testID(100 + round), 4 << 20)
            #expect(reply.error == nil)
            numbers.insert(reply.file.storeDescriptor)
            var status = stat()
            fstat(reply.file.storeDescriptor, &status)
            blocks = max(blocks, Int(status.st_blocks))
            try client.abort(testID(100 + round))
            store.pass(milliseconds: 5000)
            while store.service.giveBackMemory(while: { true }) {}
            fstat(reply.file.storeDescriptor, &status)
            #expect(status.st_blocks < 64)
        }
        #expect(numbers.count == 1)
        #expect(blocks * 512 >= 4 << 20, "blocks were set aside before the client wrote")
        #expect(store.isSound)
    }
}
