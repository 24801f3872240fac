import ControlClient
import EventLoop
import RESP
import Testing

@Suite(.enabled(if: RedisServer.isInstalled), .serialized)
struct ControlClientTests {
    /// Turns the loop until `condition` holds; false when it does not in time.
    private func turn(
        _ loop: Loop, within limit: Duration = .seconds(10), until condition: () -> Bool
    ) -> Bool {
        let end = Timer(loop) { loop.stop() }
        end.schedule(after: limit)
        loop.run {
            if condition() { loop.stop() }
            return false
        }
        return condition()
    }

    @Test("a connection started before its server comes up once the server is there")
    func connectsLate() throws {
        let server = try RedisServer()
        let loop = Loop()
        let connection = ControlConnection(loop, to: server.address)
        var reasons: [String] = []
        var pong: ControlReply?
        connection.onDown = { reasons.append($0) }
        connection.onUp = { connection.send(["PING"]) { pong = $0 } }
        connection.start()
        #expect(turn(loop) { reasons.count >= 2 })
        try server.start()
        #expect(turn(loop) { pong != nil })
        #expect(pong == .status("PONG"))
        #expect(reasons.first == "no such file or directory")
        connection.stop()
    }

    @Test("ten thousand commands through a window of 32 are answered in order")
    func pipelines() throws {
        let server = try RedisServer()
        try server.start()
        let loop = Loop()
        var limits = ControlConnection.Limits()
        limits.windowCount = 32
        let connection = ControlConnection(loop, to: server.address, limits: limits)
        var replies: [ControlReply?] = []
        connection.onUp = {
            for number in 0..<10_000 {
                connection.send(["ECHO", "\(number)"]) { replies.append($0) }
            }
        }
        connection.start()
        #expect(turn(loop) { replies.count == 10_000 })
        #expect(replies.map { $0?.number } == (0..<10_000).map { Int64($0) })
        connection.stop()
    }

    @Test("replies of every RESP2 kind arrive as values, empty words included")
    func values() throws {
        let server = try RedisServer()
        try server.start()
        let loop = Loop()
        let connection = ControlConnection(loop, to: server.address)
        var replies: [ControlReply?] = []
        connection.onUp = {
            for words in [
                ["ECHO", ""], ["GET", "absent"], ["INCR", "n"], ["NOSUCH"],
                ["EVAL", "return {1,{'a',false}}", "0"],
            ] { connection.send(words) { replies.append($0) } }
        }
        connection.start()
        #expect(turn(loop) { replies.count == 5 })
        #expect(replies[0] == .bytes([]))
        #expect(replies[1] == .null)
        #expect(replies[2] == .integer(1))
        #expect(replies[3]?.errorLine?.hasPrefix("ERR unknown command 'NOSUCH'") == true)
        #expect(replies[4] == .array([.integer(1), .array([.bytes([0x61]), .null])]))
        connection.stop()
    }

    @Test("a command whose server dies is answered with nil, and the next connection works")
    func losesItsServer() throws {
        let server = try RedisServer()
        try server.start()
        let loop = Loop()
        let connection = ControlConnection(loop, to: server.address)
        var upCount = 0
        var blocked: [ControlReply?] = []
        connection.onUp = { upCount += 1 }
        connection.start()
        #expect(turn(loop) { upCount == 1 })
        connection.send(["BLPOP", "nothing", "0"]) { blocked.append($0) }
        #expect(!turn(loop, within: .milliseconds(50)) { !blocked.isEmpty })
        server.stop()
        #expect(turn(loop) { blocked.count == 1 })
        #expect(blocked == [nil])
        try server.start()
        #expect(turn(loop) { upCount == 2 })
        connection.stop()
    }

    @Test("a command that stays unanswered ends the connection after the reply time-out")
    func givesUp() throws {
        let server = try RedisServer()
        try server.start()
        let loop = Loop()
        var limits = ControlConnection.Limits()
        limits.replyTimeout = .milliseconds(500)
        let connection = ControlConnection(loop, to: server.address, limits: limits)
        var reasons: [String] = []
        connection.onDown = { reasons.append($0) }
        connection.onUp = { connection.send(["BLPOP", "nothing", "0"]) { _ in } }
        connection.start()
        #expect(turn(loop) { reasons.contains("no answer within 0.5 seconds") })
        connection.stop()
    }

    @Test("a wrong password is a reason to be down, the right one brings it up")
    func authenticates() throws {
        let server = try RedisServer(["--requirepass", "right"])
        try server.start()
        let loop = Loop()
        let wrong = ControlConnection(
            loop, to: server.address, credentials: ControlCredentials(password: "wrong"))
        let right = ControlConnection(
            loop, to: server.address,
            credentials: ControlCredentials(username: "default", password: "right"))
        var reasons: [String] = []
        var isUp = false
        wrong.onDown = { reasons.append($0) }
        right.onUp = { isUp = true }
        wrong.start()
        right.start()
        #expect(turn(loop) { isUp && reasons.contains { $0.hasPrefix("AUTH refused: WRONGPASS") } })
        wrong.stop()
        right.stop()
    }

    @Test("a subscription hears channels and patterns, also after its connection was killed")
    func resubscribes() throws {
        let server = try RedisServer()
        try server.start()
        let loop = Loop()
        let connection = ControlConnection(loop, to: server.address)
        let subscription = ControlSubscription(
            loop, to: server.address, channels: ["news"], patterns: ["GC:*"])
        var upCount = 0
        var heard: [String] = []
        subscription.onUp = { upCount += 1 }
        subscription.onMessage = { channel, payload in
            let words = [channel, payload].map { String(decoding: $0, as: UTF8.self) }
            heard.append(words.joined(separator: " "))
        }
        connection.start()
        subscription.start()
        #expect(turn(loop) { upCount == 1 && connection.isUp })
        connection.send(["PUBLISH", "GC:42", "one"]) { _ in }
        #expect(turn(loop) { heard.count == 1 })
        connection.send(["CLIENT", "KILL", "TYPE", "pubsub"]) { _ in }
        #expect(turn(loop) { upCount == 2 })
        connection.send(["PUBLISH", "GC:7", "two"]) { _ in }
        connection.send(["PUBLISH", "news", "three"]) { _ in }
        #expect(turn(loop) { heard.count == 3 })
        #expect(heard == ["GC:42 one", "GC:7 two", "news three"])
        subscription.stop()
        connection.stop()
    }
}
