import Identifiers
import PlasmaProtocol
import Testing

@testable import PlasmaStore

/// Who uses which object, as a node manager is told.
@Suite struct PinsTests {
    /// A node manager: asks, and remembers what it was told.
    final class Reader {
        let client: TestClient
        var sequence: Int64 = 0
        var told: [RecordID: Set<Int32>] = [:]
        var anewCount = 0
        var rowCount = 0

        init(_ store: TestStore) throws {
            client = try store.client(process: 99)
            client.send { ExtensionMessage.write(.extensionRequest, numbers: [1], to: &$0) }
            _ = try client.body(.extensionReply)
        }

        /// Asks once; whether there is more.
        func ask(countMax: Int64 = 500) throws -> Bool {
            client.send { PinsRequest(sequence: sequence, countMax: countMax).write(to: &$0) }
            let reply = try client.body(.pinsReply).withUnsafeBytes { try PinsReply($0) }
            if reply.isAnew {
                anewCount += 1
                told = [:]
            }
            sequence = reply.sequence
            #expect(reply.rows.count <= countMax)
            rowCount += reply.rows.count
            for row in reply.rows {
                told[row.id] = row.processes.isEmpty ? nil : Set(row.processes)
            }
            return reply.hasMore
        }

        func askAll(countMax: Int64 = 500) throws { while try ask(countMax: countMax) {} }
    }

    @Test func tellsWhoUsesAnObject() throws {
        let store = try TestStore(capacity: 10_000)
        let (one, two) = (try store.client(process: 1), try store.client(process: 2))
        #expect(try one.put(testID(1), 100) == nil)
        _ = try one.create(testID(2), 50)
        let reader = try Reader(store)
        try reader.askAll()
        #expect(reader.told == [testID(2): [1]])
        #expect(try two.get(testID(1)) == [true])
        #expect(try one.get(testID(1)) == [true])
        #expect(try reader.client.get(testID(1)) == [true])
        try reader.askAll()
        #expect(reader.told == [testID(2): [1], testID(1): [1, 2]])
        two.close()
        one.release(testID(1))
        try reader.askAll()
        #expect(reader.told == [testID(2): [1]])
        one.close()
        try reader.askAll()
        #expect(reader.told.isEmpty && reader.anewCount == 1)
        #expect(store.isSound)
    }

    @Test func countsWhatIsUsedAndRead() throws {
        let store = try TestStore(capacity: 10_000)
        let reader = try Reader(store)
        #expect(try reader.client.put(testID(1), 100) == nil)
        #expect(try reader.client.get(testID(1)) == [true])
        reader.client.release(testID(1))
        #expect(try reader.client.get(testID(1)) == [true])
        _ = try reader.client.create(testID(2), 50)
        reader.client.send { EmptyMessage.write(.usageRequest, to: &$0) }
        let usage = try reader.client.body(.usageReply).withUnsafeBytes { try StoreUsage($0) }
        #expect(usage.capacity == 10_000 && usage.usedByteCount == 150)
        #expect(usage.pinnedCount == 2 && usage.pinnedByteCount == 150)
        #expect(usage.consumedByteCount == 200 && usage.evictedCount == 0)
        let lines = store.service.debugString.split(separator: "\n")
        #expect(lines.contains("pinned 2 of 150 bytes"))
        #expect(lines.last == "process 99 uses 2 of 150 bytes")
        store.pass(milliseconds: 70)
        reader.client.release(testID(1))
        store.pass(milliseconds: 30)
        #expect(store.service.usage.idleMilliseconds == 30)
        #expect(try reader.client.put(testID(3), 9_900) == nil)
        #expect(store.service.usage.evictedCount == 1)
        #expect(store.service.usage.evictedByteCount == 100)
    }

    @Test func whoComesAndGoesBetweenTwoQuestionsIsNotTold() throws {
        let store = try TestStore(capacity: 1 << 20)
        let client = try store.client()
        let reader = try Reader(store)
        try reader.askAll()
        for index in 0..<1000 {
            #expect(try client.put(testID(index), 10) == nil)
            #expect(try client.get(testID(index)) == [true])
            client.release(testID(index))
        }
        try reader.askAll()
        #expect(reader.rowCount == 0)
    }

    @Test func anotherReaderMakesTheFirstBeginAnew() throws {
        let store = try TestStore(capacity: 10_000)
        let client = try store.client()
        _ = try client.create(testID(1), 50)
        let (first, second) = (try Reader(store), try Reader(store))
        try first.askAll()
        try second.askAll()
        try first.askAll()
        #expect(first.anewCount == 2 && first.told == [testID(1): [1]])
    }

    @Test("agrees with the store after random steps", arguments: 0..<20 as Range<UInt64>)
    func agrees(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let store = try TestStore(capacity: 2000)
        let reader = try Reader(store)
        var clients = try (1...4).map { try store.client(process: Int32($0 % 3 + 1)) }
        for step in 0..<600 {
            let number = Int.random(in: 0..<4, using: &random)
            let id = testID(Int.random(in: 0..<30, using: &random))
            switch Int.random(in: 0..<100, using: &random) {
            case 0..<30: _ = try clients[number].put(id, Int.random(in: 0..<90, using: &random))
            case 30..<40: _ = try clients[number].create(id, 20)
            case 40..<50: _ = try clients[number].seal(id)
            case 50..<70: _ = try clients[number].get(id)
            case 70..<85:
                let slot = store.service.store.find(id)
                let session = clients[number].session.number
                if slot != 0, store.service.store.linkOfUser(slot, session) != nil {
                    clients[number].release(id)
                }
            case 85..<95: _ = try clients[number].delete([id])
            case 95..<98:
                clients[number].close()
                clients[number] = try store.client(process: Int32(number % 3 + 1))
            default: reader.sequence = Bool.random(using: &random) ? 0 : reader.sequence
            }
            if step % 7 == 0 { _ = try reader.ask(countMax: 3) }
            guard step % 50 == 49 else { continue }
            try reader.askAll(countMax: 3)
            #expect(reader.told == Self.truth(store))
        }
        #expect(store.isSound)
    }

    private static func truth(_ store: TestStore) -> [RecordID: Set<Int32>] {
        var truth: [RecordID: Set<Int32>] = [:]
        for number in 0..<store.service.store.table.slotCount {
            let slot = UInt32(number + 1)
            guard store.service.store.table[slot].state.isPresent else { continue }
            let users = store.service.store.users(of: slot).compactMap {
                store.service.sessions[Int($0)]?.processID
            }
            if !users.isEmpty { truth[store.service.store.table[slot].id] = Set(users) }
        }
        return truth
    }
}
