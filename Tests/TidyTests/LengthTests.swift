import Testing

@Suite struct LengthTests {
    @Test("files have at most 400 lines", arguments: Repository.sources)
    func files(_ file: SourceFile) {
        #expect(file.lines.count <= 401, "\(file.path): split it by what it does")
    }

    @Test("functions have at most 70 lines", arguments: Repository.sources)
    func functions(_ file: SourceFile) {
        for function in FunctionLengths(file.lines).functions {
            #expect(
                function.lineCount <= 70,
                "\(file.path):\(function.line) \(function.name) has \(function.lineCount) lines")
        }
    }

    @Test("the measure sees bodies, and no more than bodies")
    func measure() {
        let text = """
            protocol P {
                func required(
                    a: Int
                ) -> Int
                func other()
            }
            struct S {
                init() {}
                public static func short() -> Int { 1 }
                private mutating func long(
                    a: Int
                ) throws(E) -> Int {
                    if a > 0 {
                        return 1
                    }
                    return 0
                }
                @inline(__always) func g<T>(_ t: T)
                where T: P
                {
                    f(t)
                }
                deinit {
                    // func comment() {
                }
            }
            """
        let found = FunctionLengths(text.split(separator: "\n")).functions
        #expect(found.map(\.name) == ["long", "g", "deinit"])
        #expect(found.map(\.lineCount) == [8, 5, 3])
        #expect(found.map(\.line) == [10, 18, 23])
    }
}
