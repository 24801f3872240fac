import RESP
import Testing

/// Words are read where they are; what is not one, or not all of it, is none.
@Suite struct BulkReaderTests {
    private func words(_ text: String) -> (words: [String], offset: Int) {
        Array(text.utf8).withUnsafeBytes { bytes in
            var reader = BulkReader(bytes)
            var found: [String] = []
            while let word = reader.word() { found.append(String(decoding: word, as: UTF8.self)) }
            return (found, reader.offset)
        }
    }

    @Test("words of any length, one behind the other")
    func reads() {
        let long = String(repeating: "y", count: 1234)
        let text = "$0\r\n\r\n$3\r\na\rb\r\n$1234\r\n\(long)\r\n"
        #expect(words(text).words == ["", "a\rb", long])
        #expect(words(text).offset == text.utf8.count)
    }

    @Test("nothing where a word is not whole", arguments: 1..<9)
    func stops(_ length: Int) {
        let part = String(decoding: "$3\r\nabc\r\n".utf8.prefix(length), as: UTF8.self)
        #expect(words("$1\r\nx\r\n" + part).words == ["x"])
    }

    @Test(
        "nothing where no word is",
        arguments: [
            "*1\r\n", "$\r\n\r\n", "$-1\r\n", "$1x\r\na\r\n", "$ 1\r\na\r\n", "$+1\r\na\r\n",
            "$9999999999999999999\r\n", "$999999999999999999\r\n", "$1", "",
        ])
    func refuses(_ text: String) {
        #expect(words(text).words == [] && words(text).offset == 0)
    }
}
