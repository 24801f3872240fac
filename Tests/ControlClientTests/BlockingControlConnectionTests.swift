import ControlClient
import Foundation
import Platform
import RESP
import Testing

@Suite(.enabled(if: RedisServer.isInstalled))
struct BlockingControlConnectionTests {
    /// Connects to a server that may still be starting.
    private func connect(
        _ server: RedisServer, timeout: Duration = .seconds(10)
    ) throws -> BlockingControlConnection {
        let end = SystemClock.monotonicNanoseconds + 10_000_000_000
        while true {
            do {
                return try BlockingControlConnection(to: server.address, timeout: timeout)
            } catch {
                guard SystemClock.monotonicNanoseconds < end else { throw error }
                usleep(5000)
            }
        }
    }

    @Test("replies of every kind come back as values, in order")
    func kinds() throws {
        let server = try RedisServer()
        try server.start()
        let connection = try connect(server)
        let replies = try connection.replies(to: [
            ["PING"], ["SET", "k", ""], ["GET", "k"], ["GET", "none"], ["INCR", "n"],
            ["LRANGE", "k", "0", "1"], ["MGET", "n", "none"], ["KEYS", "nothing*"],
        ])
        #expect(
            replies == [
                .status("PONG"), .status("OK"), .bytes([]), .null, .integer(1),
                .error(
                    code: "WRONGTYPE",
                    text: "Operation against a key holding the wrong kind of value"),
                .array([.bytes([0x31]), .null]), .array([]),
            ])
        let raw: [UInt8] = [0, 13, 10, 255]
        #expect(try connection.reply(to: [Array("ECHO".utf8), raw]) == .bytes(raw))
    }

    @Test("an error of a single command is thrown, and the connection lives on")
    func refusal() throws {
        let server = try RedisServer()
        try server.start()
        let connection = try connect(server)
        let error = #expect(throws: ControlError.self) { try connection.command("INCR", "a", "b") }
        #expect(
            error
                == .refused(
                    code: "ERR", text: "wrong number of arguments for 'incr' command"))
        #expect(try connection.command("PING") == .status("PONG"))
    }

    @Test("a silent server is given up in time, and a gone one at once")
    func losses() throws {
        let server = try RedisServer()
        try server.start()
        let impatient = try connect(server, timeout: .seconds(1))
        let late = #expect(throws: ControlError.self) {
            try impatient.command("BLPOP", "list", "0")
        }
        #expect(late == .lost(address: server.address, reason: "no answer within 1 s"))

        let connection = try connect(server)
        server.stop()
        let gone = #expect(throws: ControlError.self) { try connection.command("PING") }
        guard case .lost(server.address, _) = gone else {
            Issue.record("\(String(describing: gone))")
            return
        }
    }

    @Test("nobody there is said with the address and the reason")
    func nobody() {
        let address = ControlAddress.unix(path: "/nonexistent/socket")
        let error = #expect(throws: ControlError.self) {
            try BlockingControlConnection(to: address)
        }
        #expect(
            error?.description
                == "cannot connect to /nonexistent/socket: no such file or directory")
    }

    @Test(
        "an address is read as people write it",
        arguments: [
            ("localhost:1", "localhost:1"), ("host", "host:6379"), ("[::1]:7", "[::1]:7"),
            ("[::1]", "[::1]:6379"), ("/a/b", "/a/b"), ("unix:/a", "/a"), (":1", nil), ("a:b", nil),
            ("a:0", nil), ("a:65536", nil), ("::1", nil), ("[::1", nil), ("", nil), ("unix:", nil),
        ])
    func addresses(text: String, description: String?) {
        #expect(ControlAddress(text)?.description == description)
    }
}
