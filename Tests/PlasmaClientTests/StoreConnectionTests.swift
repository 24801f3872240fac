import EventLoop
import Foundation
import Identifiers
import PlasmaClient
import PlasmaProtocol
import Testing

@Suite struct StoreConnectionTests {
    private func id(_ unique: UInt64) -> RecordID {
        RecordID(batch: BatchID(rawValue: 42), unique: unique, index: 1)
    }

    /// Turns the loop until `condition` holds; false when it does not in time.
    private func turn(
        _ loop: Loop, within limit: Duration = .seconds(20), until condition: () -> Bool
    ) -> Bool {
        let end = Timer(loop) { loop.stop() }
        end.schedule(after: limit)
        loop.run {
            if condition() { loop.stop() }
            return false
        }
        return condition()
    }

    @Test(
        "a subscription replays what is there, then tells of each change",
        arguments: StoreProcess.programs)
    func notifications(program: String) throws {
        let store = try StoreProcess(program)
        let client = try store.connect()
        try client.createAndSeal(id(1), data: [1, 2, 3], metadata: [4])
        let loop = Loop()
        let connection = StoreConnection(loop, path: store.socketPath)
        var rows: [ObjectInfo] = []
        connection.onChanges = { rows += $0 }
        connection.start()
        #expect(turn(loop) { rows.count == 1 })
        #expect(rows.first?.id == id(1))
        #expect(rows.first?.byteCount == 4)
        try client.createAndSeal(id(2), data: [])
        var isDrained = false
        connection.drain { isDrained = true }
        #expect(turn(loop) { isDrained })
        #expect(rows.map(\.id) == [id(1), id(2)])
        var errors: [StoreError?] = []
        connection.delete([id(1), id(3), id(2)]) { errors = $0 }
        #expect(turn(loop) { rows.count == 4 && !errors.isEmpty })
        #expect(errors == [nil, .objectNotFound, nil])
        #expect(rows.suffix(2).allSatisfy { $0.isDeletion })
        connection.stop()
    }

    @Test(
        "many requests asked at once are answered in order", arguments: StoreProcess.programs)
    func manyRequests(program: String) throws {
        let store = try StoreProcess(program)
        let client = try store.connect()
        for unique in 0..<1000 { try client.createAndSeal(id(UInt64(unique)), data: [1]) }
        let loop = Loop()
        let connection = StoreConnection(loop, path: store.socketPath)
        var counts: [Int] = []
        var removedCount = 0
        connection.onUp = {
            connection.list { counts.append($0.count) }
            for start in stride(from: 0, to: 1000, by: 100) {
                connection.delete((start..<start + 100).map { self.id(UInt64($0)) }) { errors in
                    removedCount += errors.filter { $0 == nil }.count
                }
            }
            connection.list { counts.append($0.count) }
        }
        connection.start()
        #expect(turn(loop) { counts.count == 2 })
        #expect(counts == [1000, 0])
        #expect(removedCount == 1000)
        connection.stop()
    }

    @Test("a store that dies is lost once, and found again", arguments: StoreProcess.programs)
    func lost(program: String) throws {
        let store = try StoreProcess(program)
        _ = try store.connect()
        let loop = Loop()
        let connection = StoreConnection(loop, path: store.socketPath)
        var upCount = 0
        var reasons: [StoreConnectionError] = []
        connection.onUp = { upCount += 1 }
        connection.onDown = { reasons.append($0) }
        connection.start()
        #expect(turn(loop) { upCount == 1 })
        #expect(reasons.isEmpty)
        store.stop()
        #expect(turn(loop) { reasons.count >= 2 })
        #expect(!connection.isUp)
        connection.stop()
    }

    @Test(
        "whatever answers in a store's place is left with a reason and tried again",
        arguments: [
            ([UInt8]("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), "version"),
            ([UInt8](repeating: 0xff, count: 24), "version"),
            ([UInt8](repeating: 0, count: 24), "expected connectReply"),
            (
                [0, 0, 0, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0]
                    + [UInt8](repeating: 0xff, count: 8),
                "message length"
            ),
            ([], "connection reset by peer"),
        ])
    func impostor(answer: [UInt8], reason: String) throws {
        let loop = Loop()
        let impostor = try Impostor(loop, answer)
        let connection = StoreConnection(loop, path: impostor.path)
        var reasons: [String] = []
        connection.onDown = { reasons.append("\($0)") }
        connection.start()
        #expect(turn(loop) { reasons.count == 3 })
        #expect(impostor.acceptedCount >= 3)
        #expect(reasons.allSatisfy { $0.contains(reason) }, "\(reasons)")
        connection.stop()
    }

    @Test("a path that no socket can have is said to be too long")
    func longPath() {
        let loop = Loop()
        let connection = StoreConnection(loop, path: String(repeating: "x", count: 200))
        var reason: StoreConnectionError?
        connection.onDown = { reason = $0 }
        connection.start()
        #expect(reason == .pathByteCount(found: 200, limit: 107))
        connection.stop()
    }
}

/// Accepts on a socket, answers the same bytes to everyone, and closes.
private final class Impostor {
    let path: String
    private(set) var acceptedCount = 0
    private let listener: Int32
    private var watch: Watch?

    init(_ loop: Loop, _ answer: [UInt8]) throws {
        path = FileManager.default.temporaryDirectory.appending(path: "gcs-\(UUID())").path
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) }
        }
        try #require(status == 0)
        listen(listener, 16)
        watch = Watch(loop, listener, .readable) { [unowned self] in
            let peer = accept(listener, nil, nil)
            _ = write(peer, answer, answer.count)
            close(peer)
            acceptedCount += 1
        }
    }

    deinit {
        watch = nil
        close(listener)
        unlink(path)
    }
}
