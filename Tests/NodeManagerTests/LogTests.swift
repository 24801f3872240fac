import Identifiers
import NodeManager
import Testing

@Suite struct LogTests {
    @Test(
        "a log id is two numbers", arguments: ["0-0", "1700000000000-3", "18446744073709551615-1"])
    func reads(text: String) { #expect(LogID(text)?.description == text) }

    @Test(
        "anything else is no log id", arguments: ["", "1", "1-", "-1", "1-2-3", "a-b", "+", "1--2"])
    func refuses(text: String) { #expect(LogID(text) == nil) }

    @Test("log ids are in order of time, then number")
    func orders() throws {
        let ids = ["1-2", "1-10", "2-0", "10-0"].compactMap { LogID($0) }
        #expect(ids == ids.shuffled().sorted())
    }
}
