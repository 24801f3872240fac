import CSystem
import Platform
import Synchronization
import Testing

@testable import AppendOnlyFile

/// Real threads that want a processor: a busy one on each, and one that is told where it writes more.
@Suite struct LogPlacementTests {
    private static let wordCount = 16

    private static func processors() -> [UInt] {
        var mask = [UInt](repeating: 0, count: wordCount)
        guard gcs_get_processors(&mask, wordCount * MemoryLayout<UInt>.size) == 0 else { return [] }
        return mask
    }

    private static func processorCount() -> Int {
        processors().reduce(0) { $0 + $1.nonzeroBitCount }
    }

    private final class Outcome: Sendable {
        let isStopping = Atomic(false)
        let found = Mutex<(beside: Bool, restored: Bool)?>(nil)
    }

    /// Takes turns for a while, in which more is written in one of the places.
    private func outcome(isBetterBeside: Bool) async throws -> (beside: Bool, restored: Bool) {
        let outcome = Outcome()
        for _ in 0..<Self.processorCount() * 2 {
            _ = DetachedThread.start { while !outcome.isStopping.load(ordering: .relaxed) {} }
        }
        let error = DetachedThread.start {
            let before = Self.processors()
            var placement = LogPlacement()
            let start = SystemClock.monotonicMicroseconds
            var (now, changedAt, wasBeside) = (start, start, false)
            // Until it has stayed for longer than it tries a place, five seconds at most.
            while now - start < 600_000 || now - changedAt < 250_000 && now - start < 5_000_000 {
                while SystemClock.monotonicMicroseconds - now < 500 {}
                now = SystemClock.monotonicMicroseconds
                let isBeside = Self.processorCount() == 1
                if isBeside != wasBeside { (changedAt, wasBeside) = (now, isBeside) }
                placement.turn(
                    now, isBeside == isBetterBeside ? 10_000 : 1000, loopProcessor: gcs_processor())
            }
            let isBeside = Self.processorCount() == 1
            placement.leave()
            let isRestored = Self.processors() == before
            outcome.found.withLock { $0 = (isBeside, isRestored) }
        }
        try #require(error == 0)
        defer { outcome.isStopping.store(true, ordering: .relaxed) }
        for _ in 0..<600 {
            if let found = outcome.found.withLock({ $0 }) { return found }
            try await Task.sleep(for: .milliseconds(50))
        }
        throw CancellationError()
    }

    @Test(
        "the thread that waits goes where more is written, and is given back where it may run",
        .enabled(if: processorCount() > 1), .serialized, arguments: [true, false])
    func staysWhereMoreIsWritten(isBetterBeside: Bool) async throws {
        let found = try await outcome(isBetterBeside: isBetterBeside)
        #expect(found.beside == isBetterBeside)
        #expect(found.restored)
    }
}
