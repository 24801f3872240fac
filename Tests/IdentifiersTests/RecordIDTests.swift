import Identifiers
import Testing

@Suite struct RecordIDTests {
    @Test func bytesAndHexGoThereAndBack() throws {
        let hex = "000000000000002a0102030405060708800000ff"
        let id = try #require(RecordID(hex: hex))
        #expect(id.batch == BatchID(rawValue: 42))
        #expect(id.unique == 0x0102_0304_0506_0708)
        #expect(id.index == 0x8000_00ff)
        #expect(id.description == hex)
        #expect(RecordID(id.bytes) == id)
        #expect(RecordID(hex: hex.uppercased()) == id)
    }

    @Test(
        "wrong lengths and digits are refused",
        arguments: ["", "2a", String(repeating: "g", count: 40)])
    func refuses(text: String) {
        #expect(RecordID(hex: text) == nil)
        #expect(RecordID(Array(text.utf8.prefix(19))) == nil)
    }

    @Test func negativeBatchesKeepTheirSign() throws {
        let id = try #require(RecordID(hex: "ffffffffffffffff000000000000000000000000"))
        #expect(id.batch == BatchID(rawValue: -1))
    }
}
