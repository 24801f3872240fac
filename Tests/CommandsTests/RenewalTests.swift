import Foundation
import Identifiers
import RESP
import Server
import Settings
import Testing

@testable import Commands
@testable import ControlStore

/// A journal without its oldest parts is whole, once a walk over memory had old records told again, and the other
/// changes of those parts were read.
@Suite struct RenewalTests {
    static let seeds = SeededRandom.seeds(30)

    /// A part of the journal, and where other changes than records' lie in it.
    private struct Part {
        var bytes: [UInt8] = []
        var others: [Range<Int>] = []
    }

    /// What is told, as a log would keep it: a part for each epoch.
    private struct Parts {
        var parts = [Part()]
        var firstNumber = 1
        /// Parts that the present walk is for.
        var walkedCount = 0
        var droppedCount = 0
    }

    @Test("is whole for random commands", arguments: seeds)
    func isWhole(seed: UInt64) {
        var settings = ServerSettings()
        settings.referenceCounting = seed % 3 == 0
        let source = RandomCommands()
        check(seed, settings, stepCount: 600, stepsPerPart: 20) { random in source.turn(&random) }
    }

    @Test(
        "is whole while records move, because others are written over and removed", arguments: seeds
    )
    func movesRecords(seed: UInt64) {
        check(seed, ServerSettings(), stepCount: 900, stepsPerPart: 30) { random in
            let task = RecordID(
                batch: BatchID(rawValue: Int64.random(in: 1...2, using: &random)),
                unique: .random(in: 0..<40, using: &random), index: 0)
            if Int.random(in: 0..<6, using: &random) == 0 {
                return Array("DEL TASK:\(task)\r\n".utf8)
            }
            let text = String(repeating: "x", count: .random(in: 1...1500, using: &random))
            return Array("GCS.TASK ADD \(task) \(text)\r\n".utf8)
        }
    }

    private func check(
        _ seed: UInt64, _ settings: ServerSettings, stepCount: Int, stepsPerPart: Int,
        _ commands: (inout SeededRandom) -> [UInt8]
    ) {
        var server = MemoryServer(settings: settings)
        var random = SeededRandom(seed: seed)
        var log = Parts()
        server.core.state.pointee.store.startJournal()
        var begun = JournalWalk()
        while !begun.isDone { server.core.state.pointee.store.advance(&begun, budget: 100) }
        take(&server, &log)
        server.send(Array("GCS.BATCH START ID 1\r\nGCS.BATCH START ID 2\r\n".utf8), from: "driver")
        for step in 1...stepCount {
            server.core.state.pointee.store.setLogSegment(log.firstNumber + log.parts.count - 1)
            server.send(commands(&random), from: "driver")
            _ = server.takeOutput("driver")
            if step % 5 == 0 {
                server.advance(milliseconds: Int64.random(in: 1...40, using: &random))
            }
            take(&server, &log)
            goOn(&server, &log, &random)
            if step % stepsPerPart == 0 { beginPart(&server, &log) }
        }
        #expect(log.droppedCount > 5, "seed \(seed): nothing was tested")
        server.settle()
        take(&server, &log)
        let head = Array("GCS.LOAD SEGMENT \(JournalFormat.version) 1 1\r\n".utf8)
        server.expectLoaded(from: head + log.parts.flatMap(\.bytes), settings, seed)
    }

    /// Moves what was told to the last part.
    private func take(_ server: inout MemoryServer, _ log: inout Parts) {
        server.core.state.pointee.store.commitJournal()
        let ranges = server.core.state.pointee.store.otherJournalRanges
        let start = log.parts[log.parts.count - 1].bytes.count
        log.parts[log.parts.count - 1].others += ranges.map {
            start + $0.lowerBound..<start + $0.upperBound
        }
        log.parts[log.parts.count - 1].bytes += server.takeJournal()
    }

    /// Begins another part with another epoch, if a number is free, and a walk for the oldest parts.
    private func beginPart(_ server: inout MemoryServer, _ log: inout Parts) {
        guard log.parts.count < Int(Journal.epochNumberCount) else { return }
        log.parts.append(Part())
        server.core.state.pointee.store.advanceLogEpoch()
        guard log.parts.count > 3, log.walkedCount == 0 else { return }
        log.walkedCount = log.parts.count - 3
        server.core.state.pointee.store.beginRenewal(lateCount: 3)
    }

    /// Goes on with the walk; drops the parts that it was for when it ended.
    private func goOn(
        _ server: inout MemoryServer, _ log: inout Parts, _ random: inout SeededRandom
    ) {
        guard log.walkedCount > 0 else { return }
        if Int.random(in: 0..<150, using: &random) == 0 {
            server.core.state.pointee.store.endRenewal()
            log.walkedCount = 0
            return
        }
        let isDone = server.core.state.pointee.store.renewRecords(budget: 1)
        take(&server, &log)
        guard isDone else { return }
        for _ in 0..<log.walkedCount {
            let part = log.parts.removeFirst()
            for range in part.others {
                renew(Array(part.bytes[range]), of: log.firstNumber, in: &server)
            }
            take(&server, &log)
            log.firstNumber += 1
        }
        log.droppedCount += log.walkedCount
        log.walkedCount = 0
    }

    private func renew(_ commands: [UInt8], of number: Int, in server: inout MemoryServer) {
        let end = commands.withUnsafeBytes {
            Change.renew(
                $0, from: 0, budget: .max, of: number, in: &server.core.state.pointee.store)
        }
        #expect(end == commands.count, "a range that is no whole commands")
    }
}
