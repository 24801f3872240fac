import Glibc
import Platform
import Testing

@Suite struct DirectoryTests {
    @Test("the names in a directory are sorted, and none where there is none")
    func names() throws {
        var template = Array("/tmp/gcs-directory-XXXXXX".utf8CString)
        let path = try #require(mkdtemp(&template).map { String(cString: $0) })
        #expect(Directory.names(in: path).isEmpty)
        let names = ["B", "a", "b", String(repeating: "n", count: 255), "ö"]
        for name in names.reversed() { #expect(mkdir("\(path)/\(name)", 0o700) == 0) }
        #expect(Directory.names(in: path) == names)
        for name in names { #expect(rmdir("\(path)/\(name)") == 0) }
        #expect(rmdir(path) == 0)
        #expect(Directory.names(in: path).isEmpty)
    }
}
