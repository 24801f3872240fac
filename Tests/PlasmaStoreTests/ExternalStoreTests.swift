import Foundation
import Glibc
import Identifiers
import PlasmaProtocol
import Platform
import Testing

@testable import PlasmaStore

/// A directory of a test; gone with it.
final class TestDirectory {
    let path: String

    init() {
        path = FileManager.default.temporaryDirectory.appending(path: "gcs-\(UUID())").path
        precondition(mkdir(path, 0o700) == 0, "no directory for a test")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    var names: [String] { Directory.names(in: path) }

    /// Files of objects of the one store that uses it.
    var objectFiles: [String] {
        names.flatMap { name in
            Directory.names(in: "\(path)/\(name)").map { "\(path)/\(name)/\($0)" }
        }
        .filter { $0.hasSuffix(".objects") || $0.hasSuffix(".part") }
    }
}

@Suite struct ExternalStoreTests {
    let directory = TestDirectory()

    private func store(
        capacity: Int, fallback: Int = 0, _ change: (inout StoreLimits) -> Void = { _ in }
    ) throws -> TestStore {
        var configuration = StoreConfiguration(capacity: capacity)
        configuration.externalDirectory = directory.path
        configuration.fallbackByteCountMax = fallback
        return try TestStore(configuration, change)
    }

    private func data(_ index: Int, _ count: Int = 1000) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 7 &+ index) }
    }

    /// A store of 10 objects into which 30 were put.
    private func overfull() throws -> (TestStore, TestClient) {
        let store = try store(capacity: 10_040)
        let client = try store.client()
        for index in 0..<30 {
            #expect(
                try client.createAndSeal(testID(index), data(index), [1, UInt8(index)]) == nil)
        }
        return (store, client)
    }

    @Test func evictedObjectsComeBackWithDataAndMetadata() throws {
        let (store, client) = try overfull()
        #expect(store.service.statistics.externalCount >= 20)
        #expect(store.isSound)
        for round in 0..<3 {
            for index in 0..<30 {
                let found = try #require(try client.bytes(testID(index)), "round \(round)")
                #expect(found.data == data(index) && found.metadata == [1, UInt8(index)])
                client.release(testID(index))
            }
        }
        let statistics = store.service.statistics
        #expect(statistics.restoredCount >= 60)
        // A second way out costs nothing: the file has the bytes.
        #expect(statistics.externalWrittenByteCount <= 30 * 1002)
        #expect(store.isSound)
    }

    @Test func aSmallSliceMakesNoDifference() throws {
        let store = try store(capacity: 100_000) { limits in
            limits.sliceCountMax = 1
            limits.sliceByteCountMax = 100
        }
        let client = try store.client()
        for index in 0..<300 { #expect(try client.put(testID(index), 1000) == nil) }
        for index in 0..<300 {
            #expect(try client.get(testID(index)) == [true])
            client.release(testID(index))
        }
        #expect(store.isSound)
    }

    @Test func evictedObjectsExistForEverybody() throws {
        let (store, client) = try overfull()
        for index in 0..<30 { #expect(try client.contains(testID(index))) }
        let rows = try client.list()
        #expect(rows.count == 30)
        #expect(rows[testID(0)]?.digest == 1 && rows[testID(0)]?.dataByteCount == 1000)
        #expect(rows[testID(0)]?.referenceCount == 0)
        #expect(try client.create(testID(0), 10).error == .objectExists)
        #expect(try client.seal(testID(0)) == StoreError.objectExists.rawValue)
        #expect(store.isSound)
    }

    @Test func evictedObjectsCanBeDeletedAndTheirFilesGo() throws {
        let (store, client) = try overfull()
        client.subscribe()
        _ = try client.notifications()
        #expect(!directory.objectFiles.isEmpty)
        let ids = (0..<30).map(testID)
        #expect(try client.delete(ids) == Array(repeating: nil, count: 30))
        #expect(try client.list().isEmpty)
        let rows = try client.notifications().rows
        #expect(rows.count == 30 && rows.allSatisfy(\.isDeletion))
        #expect(try client.get(testID(0)) == [false])
        #expect(try client.put(testID(0), 10) == nil)
        #expect(store.service.statistics.externalByteCount == 0)
        for _ in 0..<1000 where !directory.objectFiles.isEmpty { usleep(10_000) }
        #expect(directory.objectFiles.isEmpty)
        #expect(store.isSound)
    }

    @Test func subscribersAreToldWithoutTakingItForANewOrALostObject() throws {
        let store = try store(capacity: 10_000)
        let (client, listener) = (try store.client(), try store.client())
        listener.subscribe()
        for index in 0..<10 { _ = try client.put(testID(index), 1000) }
        _ = try listener.notifications()
        #expect(try client.evict(1000) == 1000)
        var rows = try listener.notifications().rows
        #expect(rows.map(\.id) == [testID(0)])
        #expect(rows.first?.referenceCount == ObjectInfo.movedOut && rows.first?.digest == 1)
        #expect(rows.first?.dataByteCount == 1000 && rows.first?.isDeletion == false)
        _ = try client.get(testID(0))
        rows = try listener.notifications().rows
        #expect(rows.map(\.referenceCount) == [ObjectInfo.movedIn])
        // The first report of a later subscriber has every object, wherever it is.
        _ = try client.evict(2000)
        let late = try store.client()
        late.subscribe()
        rows = try late.notifications().rows
        #expect(Set(rows.map(\.id)) == Set((0..<10).map(testID)))
        #expect(rows.allSatisfy { !$0.isMove })
    }

    @Test func evictSaysWhatWentAndPinnedObjectsStay() throws {
        let store = try store(capacity: 10_000)
        let client = try store.client()
        for index in 0..<10 { _ = try client.put(testID(index), 1000) }
        _ = try client.get(testID(0))
        #expect(try client.evict(1500) == 2000)
        #expect(try client.evict(.max) == 7000)
        #expect(try client.evict(.max) == 0)
        let statistics = store.service.statistics
        #expect(statistics.externalCount == 9 && statistics.usedByteCount == 1000)
        #expect(store.isSound)
    }

    @Test func aTimeOutIsForObjectsThatAreNotThere() throws {
        let (store, client) = try overfull()
        client.sendGet([testID(0), testID(777)], timeout: 50)
        #expect(try client.places() == nil)
        store.pass(milliseconds: 100)
        store.service.checkDeadline(client.session)
        store.settle()
        let places = try #require(try client.places())
        #expect(places.map(\.isMissing) == [false, true])
        #expect(store.isSound)
    }

    @Test func aGetOfMoreThanFitsIsAnsweredWithoutTheRest() throws {
        let (store, client) = try overfull()
        client.sendGet((0..<30).map(testID), timeout: -1)
        #expect(try client.places() == nil)
        // Others are served meanwhile.
        let other = try store.client()
        #expect(try other.contains(testID(29)))
        #expect(store.service.hasStalledRestores)
        store.pass(milliseconds: 61_000)
        store.service.expireRestores()
        store.settle()
        let places = try #require(try client.places())
        #expect(places.count { !$0.isMissing } == 10)
        #expect(store.service.takeMessages().contains { $0.contains("no room for object") })
        #expect(store.isSound)
    }

    @Test func aReleaseMakesRoomForAGetThatWaits() throws {
        let (store, client) = try overfull()
        let other = try store.client()
        client.sendGet((0..<10).map(testID), timeout: -1)
        #expect(try client.places()?.count == 10)
        other.sendGet([testID(20)], timeout: 0)
        #expect(try other.places() == nil)
        client.release(testID(3))
        #expect(try other.places()?.map(\.isMissing) == [false])
        #expect(store.isSound)
    }

    @Test func theFallbackFileTakesWhatComesBackToAFullStore() throws {
        let store = try store(capacity: 10_000, fallback: 5000)
        let client = try store.client()
        for index in 0..<15 { #expect(try client.put(testID(index), 1000) == nil) }
        client.sendGet((0..<15).map(testID), timeout: 0)
        #expect(try #require(try client.places()).allSatisfy { !$0.isMissing })
        #expect(store.service.statistics.fallbackByteCount == 5000)
        for index in 0..<15 { client.release(testID(index)) }
        #expect(try client.evict(.max) == 10_000)
        #expect(store.isSound)
    }

    @Test func aClientThatGoesWhileItWaitsLeavesNothing() throws {
        let (store, client) = try overfull()
        var buffer = ByteBuffer()
        GetRequest.write((0..<5).map(testID), timeoutMilliseconds: -1, to: &buffer)
        buffer.array.withUnsafeBytes { store.service.receive(client.session, $0) }
        client.close()
        #expect(store.isSound)
        let other = try store.client()
        #expect(try other.list().values.allSatisfy { $0.referenceCount == 0 })
        #expect(store.service.sessionCount == 1)
    }

    @Test func deletedOrUsedAgainWhileItIsBeingWritten() throws {
        let store = try store(capacity: 10_000)
        let client = try store.client()
        for index in 0..<10 {
            _ = try client.createAndSeal(testID(index), data(index))
        }
        var inner = store.service.store.primaries.byteCount
        #expect(inner == 10_000)
        // Without letting the thread's results in.
        for _ in 0..<10 { _ = store.service.store.evictOldest() }
        store.service.store.external?.send()
        inner = store.service.store.accounts[Account.shared].leavingByteCount
        #expect(inner == 10_000)
        func ask(_ write: (inout ByteBuffer) -> Void) {
            var buffer = ByteBuffer()
            write(&buffer)
            buffer.array.withUnsafeBytes { store.service.receive(client.session, $0) }
            while store.service.work() {}
        }
        ask { DeleteRequest.write([testID(0), testID(1)], to: &$0) }
        _ = try client.reply(.deleteReply)
        ask { GetRequest.write([testID(2)], timeoutMilliseconds: 0, to: &$0) }
        #expect(try client.places()?.map(\.isMissing) == [false])
        #expect(store.isSound)
        store.settle()
        #expect(store.isSound)
        let statistics = store.service.statistics
        #expect(statistics.externalCount == 7 && statistics.usedByteCount == 1000)
        #expect(store.service.store.external?.hasOrphans == false)
        let taken = store.service.store.arena.takenByteCount
        #expect(taken == 1024)
        #expect(try client.bytes(testID(2))?.data == data(2))
    }

    @Test func aFileThatWasChangedLosesItsObjectsWithAWord() throws {
        let store = try store(capacity: 10_000)
        let client = try store.client()
        client.subscribe()
        for index in 0..<10 { _ = try client.createAndSeal(testID(index), data(index)) }
        #expect(try client.evict(1) == 1000)
        _ = try client.notifications()
        let file = try #require(directory.objectFiles.first)
        let descriptor = open(file, O_WRONLY)
        [UInt8(99)].withUnsafeBytes { _ = pwrite(descriptor, $0.baseAddress, 1, 500) }
        close(descriptor)
        client.sendGet([testID(0)], timeout: -1)
        #expect(try client.places()?.map(\.isMissing) == [true])
        #expect(try !client.contains(testID(0)))
        #expect(try client.notifications().rows.map(\.isDeletion) == [true])
        #expect(store.service.takeMessages().contains { $0.contains("is lost") })
        #expect(store.isSound)
        #expect(try client.put(testID(0), 10) == nil)
    }

    @Test func aDirectoryThatIsGoneRefusesAndLosesNothing() throws {
        let store = try store(capacity: 10_000)
        let client = try store.client()
        for index in 0..<10 { _ = try client.createAndSeal(testID(index), data(index)) }
        let session = try #require(directory.names.first)
        #expect(rename("\(directory.path)/\(session)", "\(directory.path)/away") == 0)
        #expect(try client.put(testID(50), 1000) == .outOfMemory)
        #expect(store.service.takeMessages().contains { $0.contains("cannot take them") })
        #expect(try client.evict(.max) == 0)
        for index in 0..<10 { #expect(try client.bytes(testID(index))?.data == data(index)) }
        #expect(store.service.statistics.evictedCount == 0)
        for index in 0..<10 { client.release(testID(index)) }
        #expect(store.isSound)
        // It comes back to work by itself.
        #expect(rename("\(directory.path)/away", "\(directory.path)/\(session)") == 0)
        #expect(try client.put(testID(50), 1000) == nil)
        #expect(try client.bytes(testID(0))?.data == data(0))
        #expect(store.isSound)
    }

    @Test func whatADeadStoreLeftIsSweptAndALivingOnesStays() throws {
        let (store, client) = try overfull()
        let living = directory.names
        let dead = "\(directory.path)/plasma-1-dead"
        mkdir(dead, 0o700)
        close(open("\(dead)/lock", O_CREAT | O_WRONLY, 0o600))
        close(open("\(dead)/7.objects", O_CREAT | O_WRONLY, 0o600))
        mkdir("\(directory.path)/plasma-2-empty", 0o700)
        mkdir("\(directory.path)/something-else", 0o700)
        let second = try self.store(capacity: 1000)
        for _ in 0..<1000 where access(dead, F_OK) == 0 { usleep(10_000) }
        let names = Set(directory.names)
        #expect(names.count == 3 && names.isSuperset(of: living))
        #expect(names.contains("something-else"))
        #expect(try client.bytes(testID(0))?.data == data(0))
        withExtendedLifetime((store, second)) {}
    }

    @Test func aStoreThatEndsTakesItsFilesAlong() throws {
        do {
            let (store, _) = try overfull()
            #expect(directory.names.count == 1)
            withExtendedLifetime(store) {}
        }
        #expect(directory.names.isEmpty)
    }

    @Test func aBatchPushesOutWhatIsOld() throws {
        let store = try store(capacity: 10_000)
        let client = try store.client()
        for index in 0..<10 { _ = try client.createAndSeal(testID(index), data(index)) }
        let entries = (20..<28).map {
            CreateAndSealBatchRequest.Entry(id: testID($0), data: data($0))
        }
        #expect(try client.batch(entries) == nil)
        for index in Array(0..<10) + Array(20..<28) {
            #expect(try client.bytes(testID(index))?.data == data(index))
            client.release(testID(index))
        }
        #expect(store.isSound)
    }

    @Test("random requests keep the store sound and every byte", arguments: 1...6)
    func randomLife(seed: Int) throws {
        var random = SplitMix(state: UInt64(seed))
        let store = try store(capacity: 50_000, fallback: seed % 2 == 0 ? 10_000 : 0)
        var clients = try (0..<3).map { _ in try store.client() }
        if seed % 3 == 0 { _ = try clients[0].setOptions(quota: 15_000) }
        var sizes: [Int: Int] = [:]
        for step in 0..<1500 {
            let number = Int.random(in: 0..<3, using: &random)
            let client = clients[number]
            let index = Int.random(in: 0..<80, using: &random)
            switch Int.random(in: 0..<20, using: &random) {
            case 0..<8:
                let size = Int.random(in: 0...6000, using: &random)
                let error = try client.createAndSeal(testID(index), data(index, size))
                if error == nil { sizes[index] = size }
                if error == .objectExists { #expect(sizes[index] != nil) }
            case 8..<16:
                let found = try client.bytes(testID(index))
                #expect(found?.data.count == sizes[index], "seed \(seed) step \(step)")
                #expect(found.map { $0.data == data(index, $0.data.count) } ?? true)
                if found != nil { client.release(testID(index)) }
            case 16..<18:
                if try client.delete([testID(index)]) == [nil] { sizes[index] = nil }
            case 18: _ = try client.evict(Int64(Int.random(in: 0...20_000, using: &random)))
            default:
                client.close()
                clients[number] = try store.client()
            }
            if step % 50 == 0 { #expect(store.isSound, "seed \(seed) step \(step)") }
        }
        #expect(store.service.statistics.restoredCount > 0)
        #expect(store.service.statistics.objectCount == sizes.count)
        #expect(store.isSound)
    }
}
