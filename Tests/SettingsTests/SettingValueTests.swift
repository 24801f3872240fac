import Settings
import Testing

@Suite struct SettingValueTests {
    @Test(
        "reads byte counts in Redis' units",
        arguments: [
            ("0", 0), ("100", 100), ("7b", 7), ("1k", 1000), ("1kb", 1024), ("3m", 3_000_000),
            ("5mb", 5 << 20), ("2G", 2_000_000_000), ("2GB", 2 << 30),
        ])
    func byteCounts(_ text: String, _ count: Int) {
        #expect(ByteCount.parse(text) == count)
    }

    @Test("refuses other byte counts", arguments: ["", "b", "-1", "1.5mb", "1 mb", "1tb", "0x10"])
    func badByteCounts(_ text: String) {
        #expect(ByteCount.parse(text) == nil)
    }

    @Test(
        "writes byte counts with the largest unit that divides them",
        arguments: [(0, "0"), (1000, "1000"), (1024, "1kb"), (5 << 20, "5mb"), (3 << 30, "3gb")])
    func shortest(_ count: Int, _ text: String) {
        #expect(ByteCount.shortest(count) == text)
        #expect(ByteCount.parse(text) == count)
    }

    @Test(
        "normalises event classes as Redis does",
        arguments: [
            ("", ""), ("AKE", "AKE"), ("KExg", "gxKE"), ("KEmn", "nKEm"), ("Elgz", "glzE"),
            ("KEg$lshzxetd", "AKE"), ("KEAm", "AKEm"), ("KEAmn", "AnKEm"),
        ])
    func events(_ text: String, _ normal: String) {
        #expect(KeyspaceEvents(letters: text)?.letters == normal)
        #expect(KeyspaceEvents(letters: normal) == KeyspaceEvents(letters: text))
    }

    @Test(
        "matches names with Redis' patterns",
        arguments: [
            ("*", "", true), ("*", "abc", true), ("", "", true), ("", "a", false),
            ("a*c", "abbc", true), ("a*c", "abcb", false), ("*a*b*", "xxaxxbxx", true),
            ("a?c", "abc", true), ("a?c", "ac", false), ("[a-c]x", "bx", true),
            ("[c-a]x", "bx", true), ("[^a-c]x", "bx", false), ("[^a-c]x", "dx", true),
            ("\\*", "*", true), ("\\*", "a", false), ("[\\]]", "]", true), ("a[bc", "ac", true),
            ("abc", "ABC", false),
        ])
    func globs(_ pattern: String, _ text: String, _ expected: Bool) {
        #expect(Glob(pattern.utf8).matches(text.utf8) == expected)
    }

    @Test(
        "reads lists of processors as Redis does",
        arguments: [
            ("", []), ("0", [0]), ("1,3", [1, 3]), ("0,2-4", [0, 2, 3, 4]),
            ("0-7:2,9", [0, 2, 4, 6, 9]), ("5-5", [5]), ("1023", [1023]),
        ])
    func processors(_ text: String, _ processors: [Int]) throws {
        var values = ServerSettings()
        try ServerSettings.table.set("server-cpulist", text, in: &values, at: .start)
        #expect(values.loopProcessors.processors == processors)
        #expect(ServerSettings.table.get(["server-cpulist"], from: values).map(\.text) == [text])
    }

    @Test(
        "refuses other lists of processors",
        arguments: [
            ",", "0,", "a", "-1", "2-1", "0-", "0-3-5", "0-7:", "0-7:0", "0-7:2:2", "1024", "01",
            "0 1", "99999999999999999999",
        ])
    func badProcessors(_ text: String) {
        var values = ServerSettings()
        #expect(throws: SettingError.self) {
            try ServerSettings.table.set("bio-cpulist", text, in: &values, at: .start)
        }
        #expect(values == ServerSettings())
    }

    @Test("ignores case where asked to, in classes too")
    func caseless() {
        #expect(Glob("A[B-C]?".utf8, ignoringCase: true).matches("acZ".utf8))
        #expect(Glob("a[b-c]?".utf8, ignoringCase: true).matches("ACZ".utf8))
        #expect(!Glob("a[^b-c]".utf8, ignoringCase: true).matches("AC".utf8))
    }

    @Test(
        "answers soon for a pattern that is exponential in a naive matcher", .timeLimit(.minutes(1))
    )
    func manyStars() {
        let pattern = String(repeating: "a*", count: 40) + "b"
        #expect(!Glob(pattern.utf8).matches(String(repeating: "a", count: 4000).utf8))
    }

    @Test(
        "splits and unquotes words as Redis does",
        arguments: [
            ("bind 127.0.0.1 -::1", ["bind", "127.0.0.1", "-::1"]),
            ("a \"x \\x41\\n\\\"y\\\"\" 'b\\'c d'", ["a", "x A\n\"y\"", "b'c d"]),
            ("  a\t'' \"\"  ", ["a", "", ""]), ("\"\\q\\t\\x4\"", ["q\tx4"]), ("   ", []),
        ])
    func words(_ line: String, _ expected: [String]) throws {
        #expect(try SettingWords.split(line) == expected)
    }

    @Test(
        "refuses quotes that are not closed or not followed by a space",
        arguments: [
            "a \"b", "a 'b", "a \"b\"c", "a 'b'c", "a \"b\\",
        ])
    func quotes(_ line: String) {
        #expect(throws: SettingError.Reason.quotes) { try SettingWords.split(line) }
    }

    @Test(
        "quotes text so that it reads back",
        arguments: [
            "", "plain", "two words", "a\"b\\c'd", "tab\tline\nbell\u{07}back\u{08}esc\u{1B}\u{7F}",
            "ü",
        ])
    func quoting(_ text: String) throws {
        #expect(try SettingWords.split(SettingWords.quoted(text)) == [text])
        #expect(try SettingWords.split(SettingWords.plain(text)) == [text])
    }
}
