import Server
import Testing

/// How much of what a client sends is taken, and when it is read again.
@Suite struct InputTests {
    private static let ping = Array("PING\r\n".utf8)

    /// Sends requests without a turn of the loop, until no more is read; the bytes taken.
    private func flood(_ server: inout MemoryServer, upTo byteCount: Int) -> Int {
        var taken = 0
        while taken < byteCount {
            let count = server.offer(
                (taken..<taken + 6000).map { Self.ping[$0 % Self.ping.count] }, from: "flooder")
            guard count > 0 else { break }
            taken += count
        }
        return taken
    }

    @Test("a connection with a late reply is read no further than it needs, and goes on after it")
    func lateReply() {
        var server = MemoryServer()
        server.send(Array("XREAD BLOCK 0 STREAMS gc:log $\r\n".utf8), from: "flooder")
        let taken = flood(&server, upTo: 8 << 20)
        #expect(taken >= 64 << 10)
        #expect(taken <= 192 << 10)
        let isReadBefore = server.isRead("flooder")
        server.settle()
        let isReadMeanwhile = server.isRead("flooder")
        #expect(!isReadBefore && !isReadMeanwhile)
        let early = server.takeOutput("flooder")
        #expect(early.isEmpty)
        server.send(Array("GCS.BATCH START ID 5\r\nGCS.BATCH END 5\r\n".utf8), from: "driver")
        server.settle()
        let isReadAgain = server.isRead("flooder")
        #expect(isReadAgain)
        let rest = (6 - taken % 6) % 6
        server.send(Array(Self.ping.suffix(rest)), from: "flooder")
        let output = String(decoding: server.takeOutput("flooder"), as: UTF8.self)
        #expect(output.hasPrefix("*1\r\n*2\r\n$6\r\ngc:log\r\n"))
        let pongs = String(repeating: "+PONG\r\n", count: (taken + rest) / 6)
        #expect(output.hasSuffix("\r\n" + pongs))
        #expect(!output.dropLast(pongs.count).contains("PONG"))
    }

    @Test("a large request is read in pieces, and answered whole")
    func largeRequest() {
        var server = MemoryServer()
        let word = (0..<5_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
        let request = Array("*2\r\n$4\r\nECHO\r\n$\(word.count)\r\n".utf8) + word + [13, 10]
        var pieces: [Int] = []
        var rest = request[...]
        while !rest.isEmpty {
            let count = server.offer(rest, from: "client")
            guard count > 0 else { break }
            pieces.append(count)
            rest = rest.dropFirst(count)
        }
        #expect(rest.isEmpty)
        #expect((pieces.max() ?? 0) <= 256 << 10)
        // Not in pieces so small that a large request takes many turns.
        #expect(pieces.count < 40)
        server.settle()
        let reply = Array("$\(word.count)\r\n".utf8) + word + [13, 10]
        let output = server.takeOutput("client")
        #expect(output == reply)
    }

    @Test("what follows a large request is answered in order")
    func largeBetweenSmall() {
        var server = MemoryServer()
        var request: [UInt8] = []
        var reply: [UInt8] = []
        for number in 0..<30 {
            let count = number % 3 == 0 ? 300_000 : 3
            let word = [UInt8](repeating: UInt8(65 + number % 26), count: count)
            request += Array("*2\r\n$4\r\nECHO\r\n$\(word.count)\r\n".utf8) + word + [13, 10]
            reply += Array("$\(word.count)\r\n".utf8) + word + [13, 10]
        }
        server.send(request, from: "client")
        let output = server.takeOutput("client")
        #expect(output == reply)
    }
}
