/// Lines about clients, so many a second: a bad client must not fill a disk with them.
struct ClientLog {
    private static let lineCountMax = 20

    private var second: Int64 = 0
    private var count = 0

    /// Writes a line, or only counts it; `now` is in milliseconds.
    mutating func write(_ line: @autoclosure () -> String, now: Int64) {
        if now / 1000 != second {
            let leftOut = count - Self.lineCountMax
            if leftOut > 0 { log("\(leftOut) more lines about clients left out") }
            second = now / 1000
            count = 0
        }
        count += 1
        if count <= Self.lineCountMax { log(line()) }
    }
}
