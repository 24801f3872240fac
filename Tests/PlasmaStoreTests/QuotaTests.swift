import Identifiers
import PlasmaProtocol
import Testing

@testable import PlasmaStore

@Suite struct QuotaTests {
    @Test func aQuotaIsSetOnceAndLeavesAReserveForAll() throws {
        let store = try TestStore(capacity: 10_000)
        let (first, second) = (try store.client(), try store.client())
        #expect(try first.setOptions(quota: 7001) == .outOfMemory)
        #expect(try first.setOptions(quota: 4000) == nil)
        #expect(try first.setOptions(quota: 1000) == .outOfMemory)
        #expect(try second.setOptions(quota: 3001) == .outOfMemory)
        #expect(try second.setOptions(quota: 3000) == nil)
        let statistics = store.service.statistics
        #expect(statistics.quotaCount == 2 && statistics.quotaByteCount == 7000)
        #expect(store.isSound)
    }

    @Test func aQuotaOfNothingOnlyNamesTheClient() throws {
        let store = try TestStore(capacity: 10_000)
        let client = try store.client()
        #expect(try client.setOptions(name: "worker", quota: 0) == nil)
        #expect(try client.setOptions(name: "worker", quota: -5) == nil)
        #expect(client.session.name == "worker")
        #expect(try client.setOptions(quota: 100) == nil)
        #expect(store.service.statistics.quotaCount == 1)
        #expect(try client.setOptions(quota: .max) == .outOfMemory)
    }

    @Test func othersDoNotPushOutWhatAQuotaProtects() throws {
        let store = try TestStore(capacity: 10_000)
        let (owner, other) = (try store.client(), try store.client())
        #expect(try owner.setOptions(quota: 3000) == nil)
        for index in 0..<3 { #expect(try owner.put(testID(index), 1000) == nil) }
        for index in 100..<150 { #expect(try other.put(testID(index), 1000) == nil) }
        #expect(try (0..<3).allSatisfy { try other.contains(testID($0)) })
        #expect(try other.create(testID(99), 7001).error == .outOfMemory)
        #expect(store.isSound)
    }

    @Test func aFullQuotaPushesOutItsOwnOldestObjectsOnly() throws {
        let store = try TestStore(capacity: 10_000)
        let (owner, other) = (try store.client(), try store.client())
        #expect(try owner.setOptions(quota: 3000) == nil)
        for index in 100..<107 { #expect(try other.put(testID(index), 1000) == nil) }
        for index in 0..<3 { #expect(try owner.put(testID(index), 1000) == nil) }
        _ = try owner.get(testID(0))
        owner.release(testID(0))
        #expect(try owner.put(testID(3), 1000) == nil)
        #expect(try !owner.contains(testID(1)))
        #expect(try owner.contains(testID(0)) && owner.contains(testID(2)))
        #expect(try (100..<107).allSatisfy { try other.contains(testID($0)) })
        #expect(try owner.put(testID(4), 3001) == .outOfMemory)
        #expect(store.isSound)
    }

    @Test func whoUsesAWholeQuotaAtOnceGoesOnInTheCommonShare() throws {
        let store = try TestStore(capacity: 10_000)
        let owner = try store.client()
        #expect(try owner.setOptions(quota: 2000) == nil)
        for index in 0..<10 { #expect(try owner.create(testID(index), 1000).error == nil) }
        #expect(try owner.create(testID(10), 1000).error == .outOfMemory)
        #expect(store.service.store.accounts[Account.shared].usedByteCount == 8000)
        #expect(store.isSound)
    }

    @Test func roomForAQuotaIsTakenFromWhatIsThereAlready() throws {
        let store = try TestStore(capacity: 10_000)
        let (owner, other) = (try store.client(), try store.client())
        for index in 100..<110 { #expect(try other.put(testID(index), 1000) == nil) }
        #expect(try owner.setOptions(quota: 2000) == nil)
        #expect(try owner.put(testID(0), 1000, evicts: false) == .outOfMemory)
        #expect(try owner.put(testID(0), 1000) == nil)
        #expect(try !other.contains(testID(100)))
        #expect(store.isSound)
    }

    @Test("a quota ends with its client, whose objects stay", arguments: [true, false])
    func aQuotaEnds(isInUse: Bool) throws {
        let store = try TestStore(capacity: 10_000)
        let (owner, other) = (try store.client(), try store.client())
        #expect(try owner.setOptions(quota: 5000) == nil)
        for index in 0..<5 { #expect(try owner.put(testID(index), 1000) == nil) }
        if isInUse { _ = try other.get(testID(2)) }
        owner.close()
        #expect(store.service.statistics.quotaByteCount == 0)
        #expect(try (0..<5).allSatisfy { try other.contains(testID($0)) })
        #expect(store.isSound)
        // They are the oldest of all now.
        for index in 100..<106 { #expect(try other.put(testID(index), 1000) == nil) }
        #expect(try !other.contains(testID(0)) && !other.contains(testID(1)))
        #expect(try other.contains(testID(2)))
        if isInUse { other.release(testID(2)) }
        #expect(store.isSound)
        #expect(try other.evict(.max) > 0)
        #expect(store.service.store.freeAccounts.count == 1)
        // The place of the old share is used again, and starts empty.
        #expect(try store.client().setOptions(quota: 7000) == nil)
        #expect(store.service.store.accounts.count == 3)
        #expect(store.isSound)
    }

    @Test func aThousandClientsWithQuotasComeAndGo() throws {
        let store = try TestStore(capacity: 100_000)
        for round in 0..<1000 {
            let client = try store.client()
            #expect(try client.setOptions(quota: 5000) == nil)
            #expect(try client.put(testID(round), 500) == nil)
            client.close()
        }
        #expect(store.service.statistics.quotaByteCount == 0)
        #expect(store.service.store.accounts.count < 300)
        #expect(store.isSound)
    }
}
