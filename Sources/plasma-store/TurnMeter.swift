internal import Platform

/// Processor time that the loop's thread takes for one turn: others wait as long as that.
///
/// Reading this clock is a system call, so it is done only when asked for.
struct TurnMeter {
    /// What a turn is made of.
    enum Part: Int, CaseIterable { case events, work, sending, memory }

    private var last = SystemClock.threadNanoseconds
    private var parts = [UInt64](repeating: 0, count: Part.allCases.count)
    private var longest = [UInt64](repeating: 0, count: Part.allCases.count)
    private var turnCount = 0

    /// Counts the time since the last call for `part`.
    mutating func end(_ part: Part) {
        let now = SystemClock.threadNanoseconds
        parts[part.rawValue] += now - last
        last = now
    }

    /// A turn is over.
    mutating func endTurn() {
        turnCount += 1
        if parts.reduce(0, +) > longest.reduce(0, +) { swap(&parts, &longest) }
        for index in parts.indices { parts[index] = 0 }
    }

    /// A line about the longest turn since this was last asked for.
    mutating func takeLine() -> String {
        defer {
            turnCount = 0
            for index in longest.indices { longest[index] = 0 }
        }
        let shares = Part.allCases.map { "\($0) \(longest[$0.rawValue] / 1000)" }
        return "longest turn \(longest.reduce(0, +) / 1000) us of \(turnCount): "
            + shares.joined(separator: ", ")
    }
}
