import Glibc
import Platform
import Testing

@Suite struct DirectoryTests {
    @Test("the names in a directory are sorted, and none where there is none")
    func names() throws {
        let path = "/tmp/gcs-directory-\(getpid())-\(UInt32.random(in: 0 ... .max))"
        try #require(mkdir(path, 0o700) == 0)
        #expect(Directory.names(in: path).isEmpty)
        let names = ["B", "a", "b", String(repeating: "n", count: 255), "ö"]
        for name in names.reversed() { #expect(mkdir("\(path)/\(name)", 0o700) == 0) }
        #expect(Directory.names(in: path) == names)
        for name in names { #expect(rmdir("\(path)/\(name)") == 0) }
        #expect(rmdir(path) == 0)
        #expect(Directory.names(in: path).isEmpty)
    }
}
