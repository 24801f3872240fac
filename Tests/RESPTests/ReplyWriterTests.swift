import RESP
import Testing

@Suite struct ReplyWriterTests {
    private func written(_ version: UInt8, _ write: (inout ReplyWriter) -> Void) -> String {
        var writer = ReplyWriter(capacity: 1)
        writer.version = version
        write(&writer)
        return String(
            decoding: UnsafeBufferPointer(start: writer.base, count: writer.count), as: UTF8.self)
    }

    @Test func numbersHaveAllTheirDigits() {
        for value in [0, 9, 10, 99, 100, 12_345, -1, -10, Int64.max, .min] as [Int64] {
            #expect(written(2) { $0.integer(value) } == ":\(value)\r\n")
            #expect(
                written(2) { $0.bulk(decimal: value) } == "$\(String(value).count)\r\n\(value)\r\n")
        }
    }

    @Test func mapsSetsNullsAndPushesDependOnTheVersion() {
        func all(_ writer: inout ReplyWriter) {
            writer.map(1)
            writer.set(2)
            writer.push(3)
            writer.null()
            writer.nullArray()
            writer.verbatim("a")
        }
        #expect(written(2, all) == "*2\r\n*2\r\n*3\r\n$-1\r\n*-1\r\n$1\r\na\r\n")
        #expect(written(3, all) == "%1\r\n~2\r\n>3\r\n_\r\n_\r\n=5\r\ntxt:a\r\n")
    }

    @Test func anErrorStaysOnOneLine() {
        #expect(written(2) { $0.error("ERR a\r\nb") } == "-ERR a  b\r\n")
    }

    @Test func itGrowsAndShrinks() {
        var writer = ReplyWriter(capacity: 1)
        let bytes = [UInt8](repeating: 7, count: 10 << 20)
        writer.bulk(bytes)
        #expect(writer.count == bytes.count + "$10485760\r\n\r\n".utf8.count)
        writer.truncate(to: 0)
        writer.ok()
        #expect(writer.count == 5)
    }
}
