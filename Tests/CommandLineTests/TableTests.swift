import Testing

@testable import gcs

@Suite struct TableTests {
    @Test("columns are as wide as their widest cell, and lines end with a letter")
    func columns() {
        var table = Table(.init(title: "NAME"), .init(title: "N", alignment: .right))
        table.append("a", "1,000")
        table.append("longer", "7")
        #expect(table.lines == ["NAME        N", "a       1,000", "longer      7"])
    }

    @Test("facts stand in two columns")
    func facts() {
        var facts = Facts()
        facts.append("batch", "42")
        facts.append("needed by", "7")
        #expect(facts.lines == ["batch      42", "needed by  7"])
    }
}
