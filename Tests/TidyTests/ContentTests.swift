import Foundation
import Testing

@Suite struct ContentTests {
    private static let programs: Set = [
        "gcs", "gcs-server", "gcs-node", "plasma-store",
    ]
    private static let core: Set = [
        "Identifiers", "RESP", "ControlStore", "Settings", "Commands", "Server",
    ]

    private func imports(_ file: SourceFile) -> [Substring] {
        file.lines.compactMap { line in
            let words = line.split(separator: " ")
            guard let index = words.firstIndex(of: "import"), index <= 2 else { return nil }
            return words.dropFirst(index + 1).first
        }
    }

    @Test("Foundation is imported by the command line only", arguments: Repository.sources)
    func foundation(_ file: SourceFile) {
        guard file.target != "gcs" else { return }
        let found = imports(file).filter { $0.hasPrefix("Foundation") || $0 == "Dispatch" }
        #expect(found == [], "\(file.path)")
    }

    @Test("the core sees no socket, no clock and no C library", arguments: Repository.sources)
    func core(_ file: SourceFile) {
        guard Self.core.contains(file.target) else { return }
        let outside: Set<Substring> = [
            "CLibevent", "CHiredis", "CSystem", "Platform", "EventLoop",
        ]
        #expect(outside.isDisjoint(with: imports(file)), "\(file.path)")
    }

    @Test("only programs print", arguments: Repository.sources)
    func printing(_ file: SourceFile) {
        guard !Self.programs.contains(file.target) else { return }
        guard file.has("rint(") else { return }
        for line in file.lines where line.contains("rint(") {
            let code = line.split(separator: "//", omittingEmptySubsequences: false)[0]
            let prints = code.firstMatch(of: /(^|[^\w.])(debugP|p)rint\(/) != nil
            #expect(!prints || code.contains("func "), "\(file.path): \(line)")
        }
    }

    @Test("nothing is left for later in comments", arguments: Repository.files)
    func leftovers(_ file: SourceFile) {
        for word in ["TO" + "DO", "FIX" + "ME", "XX" + "X"] where file.has(word) {
            for line in file.lines where line.contains(word) {
                let words = line.split { !$0.isLetter && $0 != "_" }
                #expect(!words.contains { $0 == word }, "\(file.path): \(line)")
            }
        }
    }

    @Test("no file names a directory of its author's machine", arguments: Repository.files)
    func machinePaths(_ file: SourceFile) {
        let home = /(^|[^\w.])\/(home\/[a-z]|Users\/[A-Za-z]|ro{2}t\/)/
        let root = Repository.root.standardizedFileURL.path
        #expect(!file.has(root), "\(file.path) names \(root)")
        guard file.has("/home/") || file.has("/Users/") || file.has("/ro" + "ot/") else { return }
        for line in file.lines {
            #expect(line.firstMatch(of: home) == nil, "\(file.path): \(line)")
        }
    }

    @Test("every text ends with one line break and has no tab outside the Makefile")
    func whitespace() {
        for file in Repository.files where !file.text.isEmpty {
            #expect(file.text.hasSuffix("\n"), "\(file.path): no line break at the end")
            #expect(!file.text.hasSuffix("\n\n"), "\(file.path): empty lines at the end")
            let mayHaveTabs = file.path == "Makefile" || file.path == "LICENSE"
            #expect(mayHaveTabs || !file.has("\t"), "\(file.path): a tab")
        }
    }
}
