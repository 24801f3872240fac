import RESP
import Testing

/// splitmix64: the same seed gives the same run on every machine.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}

@Suite struct RequestParserTests {
    /// Feeds a stream in pieces; the words of every request.
    private func requests(
        _ stream: [UInt8], pieces: [Int]
    ) throws(ProtocolError) -> [[[UInt8]]] {
        var parser = RequestParser()
        var found: [[[UInt8]]] = []
        var buffer: [UInt8] = []
        var start = 0
        for piece in pieces + [stream.count] {
            let end = min(start + piece, stream.count)
            buffer += stream[start..<end]
            start = end
            while !buffer.isEmpty {
                guard let used = try parser.parse(buffer.span.bytes, limits: .init()) else { break }
                found.append(words(parser, buffer))
                parser.reset()
                buffer.removeFirst(used)
            }
        }
        return found
    }

    private func words(_ parser: borrowing RequestParser, _ buffer: [UInt8]) -> [[UInt8]] {
        buffer.withUnsafeBufferPointer { bytes in
            guard let base = bytes.baseAddress else { return [] }
            let words = parser.words(at: base)
            return (0..<words.count).map { words[$0].bytes }
        }
    }

    private func encoded(_ words: [[UInt8]]) -> [UInt8] {
        words.reduce(into: Array("*\(words.count)\r\n".utf8)) { bytes, word in
            bytes += "$\(word.count)\r\n".utf8
            bytes += word
            bytes += "\r\n".utf8
        }
    }

    @Test("any cutting of a stream gives the same requests", arguments: 0..<20)
    func cutting(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let wanted = (0..<30).map { _ in
            (0..<Int.random(in: 1...20, using: &random)).map { _ in
                (0..<Int.random(in: 0...60, using: &random)).map { _ in
                    UInt8.random(in: 0...255, using: &random)
                }
            }
        }
        let stream = wanted.flatMap(encoded)
        let pieces = (0..<stream.count).map { _ in Int.random(in: 1...30, using: &random) }
        #expect(try requests(stream, pieces: pieces) == wanted)
        #expect(try requests(stream, pieces: []) == wanted)
        #expect(try requests(stream, pieces: .init(repeating: 1, count: stream.count)) == wanted)
    }

    @Test(
        "an inline command is cut at spaces, with quotation",
        arguments: [
            ("PING\r\n", ["PING"]), ("  SET  a\tb \n", ["SET", "a", "b"]), ("\r\n", []),
            ("# PING \"\n", []), ("PING #\n", ["PING", "#"]),
            (#"SET a "x\x41\n\"y""# + "\r\n", ["SET", "a", "xA\n\"y"]),
            (#"SET a 'it\'s' """# + "\r\n", ["SET", "a", "it's", ""]),
        ])
    func inline(line: String, words: [String]) throws {
        let found = try requests(Array(line.utf8), pieces: [])
        #expect(found == [words.map { Array($0.utf8) }])
    }

    @Test(
        "what breaks the protocol is named",
        arguments: [
            ("*x\r\n", ProtocolError.invalidWordCount), ("*1048577\r\n", .invalidWordCount),
            ("*99999999999\r\n", .invalidWordCount), ("*1\r\n:1\r\n", .expectedBulk(found: 0x3a)),
            ("*1\r\n$-1\r\n", .invalidBulkLength), ("*1\r\n$536870913\r\n", .invalidBulkLength),
            ("*1\r\n$x\r\n", .invalidBulkLength), ("SET \"a\r\n", .unbalancedQuotes),
        ])
    func errors(stream: String, error: ProtocolError) {
        #expect(throws: error) { try requests(Array(stream.utf8), pieces: []) }
    }

    @Test func anEndlessInlineCommandIsRefused() {
        let line = [UInt8](repeating: 0x61, count: 70_000)
        let isRefused = (try? requests(line, pieces: [10_000, 30_000, 20_000])) == nil
        #expect(isRefused)
    }

    @Test func anEmptyOrNegativeArrayIsNoRequest() throws {
        #expect(
            try requests(Array("*0\r\n*-1\r\nPING\r\n".utf8), pieces: []) == [
                [], [], [Array("PING".utf8)],
            ])
    }

    @Test(
        "numbers are read as Redis reads them",
        arguments: [
            ("0", 0), ("-1", -1), ("9223372036854775807", Int64.max),
            ("-9223372036854775808", .min),
            ("9223372036854775808", nil), ("01", nil), ("+1", nil), ("", nil), ("-", nil),
            ("1 ", nil),
        ] as [(String, Int64?)])
    func integers(text: String, value: Int64?) {
        let bytes = Array(text.utf8) + [0]
        bytes.withUnsafeBufferPointer { buffer in
            guard let start = buffer.baseAddress else { return }
            #expect(Word(start: start, count: text.utf8.count).integer == value)
        }
    }
}
