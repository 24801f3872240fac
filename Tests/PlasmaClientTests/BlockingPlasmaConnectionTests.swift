import Identifiers
import PlasmaClient
import PlasmaProtocol
import Testing

@Suite struct BlockingPlasmaConnectionTests {
    private func id(_ unique: UInt64) -> RecordID {
        RecordID(batch: BatchID(rawValue: 42), unique: unique, index: 1)
    }

    private func put(
        _ connection: BlockingPlasmaConnection, _ id: RecordID, _ bytes: [UInt8]
    ) throws {
        let room = try connection.create(id, dataByteCount: bytes.count)
        room.copyBytes(from: bytes)
        try connection.seal(id)
        try connection.release(id)
    }

    @Test("what one connection writes another one reads", arguments: StoreProcess.programs)
    func roundTrip(program: String) throws {
        let store = try StoreProcess(program)
        let writer = try store.connect()
        let reader = try store.connect()
        #expect(writer.capacityByteCount == 16 << 20)

        let room = try writer.create(id(1), dataByteCount: 1000, metadataByteCount: 2)
        #expect(room.count == 1002)
        for index in room.indices { room[index] = UInt8(truncatingIfNeeded: index) }
        #expect(try reader.contains(id(1)) == false)
        try writer.seal(id(1))
        #expect(try reader.contains(id(1)))
        try writer.createAndSeal(id(2), data: [1, 2, 3], metadata: [9])
        try writer.createAndSeal(id(3), data: [])

        let objects = try reader.get([id(1), id(2), id(4), id(3)])
        #expect(objects[0].map { Array($0.data) } == (0..<1000).map { UInt8($0 & 255) })
        #expect(objects[0].map { Array($0.metadata) } == [232, 233])
        #expect(objects[1].map { Array($0.data) } == [1, 2, 3])
        #expect(objects[1].map { Array($0.metadata) } == [9])
        #expect(objects[2] == nil)
        #expect(objects[3]?.data.count == 0)
    }

    @Test("a get waits as long as it was told to", arguments: StoreProcess.programs)
    func waiting(program: String) throws {
        let store = try StoreProcess(program)
        let connection = try store.connect()
        let clock = ContinuousClock()
        let start = clock.now
        #expect(try connection.get([id(1)], timeout: .milliseconds(200))[0] == nil)
        #expect(clock.now - start >= .milliseconds(190))
        try put(connection, id(1), [7])
        #expect(try connection.get([id(1)], timeout: nil)[0].map { Array($0.data) } == [7])
    }

    @Test(
        "what the store refuses is an error, and the connection lives on",
        arguments: StoreProcess.programs)
    func refusals(program: String) throws {
        let store = try StoreProcess(program)
        let connection = try store.connect()
        try put(connection, id(1), [7])
        #expect(throws: PlasmaError.refused(.objectExists)) {
            try connection.create(id(1), dataByteCount: 1)
        }
        #expect(throws: PlasmaError.refused(.objectExists)) {
            try connection.createAndSeal(id(1), data: [1])
        }
        #expect(throws: PlasmaError.refused(.outOfMemory)) {
            try connection.create(id(2), dataByteCount: 17 << 20, evictsIfFull: false)
        }
        // Releasing what is not held is not even sent: Arrow's store would end.
        try connection.release(id(1))
        try connection.release(id(9))
        #expect(try connection.contains(id(1)))
    }

    @Test("delete says for each object what became of it", arguments: StoreProcess.programs)
    func deletion(program: String) throws {
        let store = try StoreProcess(program)
        let connection = try store.connect()
        let ids = (1...1200).map { id($0) }
        for id in ids { try connection.createAndSeal(id, data: [1]) }
        #expect(try connection.list().count == 1200)
        let held = try connection.get([id(700)])[0]
        let outcomes = try connection.delete(ids + [id(5000)])
        #expect(outcomes[699] == .objectInUse && outcomes[1200] == .objectNotFound)
        #expect(outcomes.count { $0 == nil } == 1199)
        #expect(held.map { Array($0.data) } == [1])
        try connection.release(id(700))
        #expect(try connection.contains(id(700)) == false)
        #expect(try connection.list().isEmpty)
    }

    @Test(
        "a subscriber hears of every object that comes and goes",
        arguments: StoreProcess.programs)
    func subscription(program: String) throws {
        let store = try StoreProcess(program)
        let connection = try store.connect()
        try put(connection, id(1), [1, 2])
        let notifications = try store.connect().subscribe()
        #expect(try next(notifications).map(\.id) == [id(1)])
        try put(connection, id(2), [1, 2, 3])
        let added = try next(notifications)
        #expect(added.map(\.id) == [id(2)] && added.map(\.byteCount) == [3])
        _ = try connection.delete([id(1)])
        let deleted = try next(notifications)
        #expect(deleted.map(\.id) == [id(1)] && deleted.map(\.isDeletion) == [true])
        #expect(try notifications.next(timeout: .milliseconds(20)) == nil)
    }

    private func next(_ notifications: BlockingPlasmaNotifications) throws -> [ObjectInfo] {
        try #require(try notifications.next(timeout: .seconds(10)))
    }

    @Test("a store that goes is noticed", arguments: StoreProcess.programs)
    func loss(program: String) throws {
        let store = try StoreProcess(program)
        let connection = try store.connect()
        let notifications = try connection.subscribe()
        store.stop()
        for body in [{ _ = try connection.list() }, { _ = try notifications.next(timeout: .zero) }]
        {
            let error = #expect(throws: PlasmaError.self, performing: body)
            guard case .lost = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
        let error = #expect(throws: PlasmaError.self) {
            try BlockingPlasmaConnection(path: "/nonexistent/store")
        }
        #expect(
            error?.description
                == "cannot connect to the store /nonexistent/store: no such file or directory")
    }
}
