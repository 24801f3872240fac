import Foundation
import Identifiers
import RESP
import Server
import Settings
import Testing

@testable import Commands
@testable import ControlStore

/// What a journal told, taken in by an empty store, gives the same store: for random commands, with
/// walks that begin it anew in between.
@Suite struct JournalTests {
    static let seeds = SeededRandom.seeds(20)
    private static let source = RandomCommands()

    @Test("gives the same store", arguments: seeds)
    func isWhole(seed: UInt64) {
        var settings = ServerSettings()
        settings.referenceCounting = seed % 3 == 0
        settings.batchTombstone = seed % 4 == 0 ? .milliseconds(300) : .seconds(3600)
        var server = MemoryServer(settings: settings)
        var random = SeededRandom(seed: seed)
        var told: [UInt8] = []
        server.core.state.pointee.store.startJournal()
        begin(&server, &told)
        var walk: (JournalWalk, told: [UInt8])?
        for step in 0..<600 {
            server.send(Self.source.turn(&random), from: "driver")
            if step % 5 == 0 {
                server.advance(milliseconds: Int64.random(in: 1...40, using: &random))
            }
            let new = server.takeJournal()
            told += new
            walk?.told += new
            guard var (walking, since) = walk else {
                guard Int.random(in: 0..<60, using: &random) == 0 else { continue }
                var begun = JournalWalk()
                server.core.state.pointee.store.advance(&begun, budget: 1)
                walk = (begun, server.takeJournal())
                continue
            }
            server.core.state.pointee.store.advance(&walking, budget: 7)
            since += server.takeJournal()
            if walking.isDone { told = since }
            walk = walking.isDone ? nil : (walking, since)
        }
        server.settle()
        told += server.takeJournal()
        server.expectLoaded(from: told, settings, seed)
    }

    @Test(
        "is whole without its oldest parts, once what they tell of was told again",
        arguments: seeds)
    func isWholeWithoutOldParts(seed: UInt64) {
        var settings = ServerSettings()
        settings.referenceCounting = seed % 3 == 0
        var server = MemoryServer(settings: settings)
        var random = SeededRandom(seed: seed)
        server.core.state.pointee.store.startJournal()
        var first: [UInt8] = []
        begin(&server, &first)
        var parts = [first]
        var firstNumber = 1
        for step in 0..<600 {
            // What is known of the log may be late.
            let lateness = Int.random(in: 0...1, using: &random)
            server.core.state.pointee.store.setLogSegment(firstNumber + parts.count - 1 - lateness)
            if Int.random(in: 0..<30, using: &random) == 0 {
                server.core.state.pointee.store.advanceLogEpoch()
            }
            server.send(Self.source.turn(&random), from: "driver")
            if step % 5 == 0 {
                server.advance(milliseconds: Int64.random(in: 1...40, using: &random))
            }
            parts[parts.count - 1] += server.takeJournal()
            guard step % 25 == 24 else { continue }
            parts.append([])
            guard parts.count > 3 else { continue }
            renew(parts[0], of: firstNumber, in: &server)
            parts[parts.count - 1] += server.takeJournal()
            parts.removeFirst()
            firstNumber += 1
        }
        server.settle()
        parts[parts.count - 1] += server.takeJournal()
        let head = Array("GCS.LOAD SEGMENT \(JournalFormat.version) 1 1\r\n".utf8)
        server.expectLoaded(from: head + parts.flatMap { $0 }, settings, seed)
    }

    @Test("stays small when the same is written over and over")
    func staysSmall() {
        var server = MemoryServer()
        server.core.state.pointee.store.startJournal()
        var parts: [[UInt8]] = [[]]
        begin(&server, &parts[0])
        var text = "GCS.BATCH START ID 1\r\nGCS.NODE REGISTER n1\r\n"
        for number in 0..<20 {
            let task = Self.source.id(1, number, 0)
            text +=
                "GCS.TASK ADD \(task) x ACTOR \(Self.source.id(1, number % 4, 7)) STATE FINISHED\r\n"
            text += "GCS.OBJECT ADD \(Self.source.id(1, number, 1)) n1 9\r\n"
            text += "GCS.REF ADD n1 1 LOCAL_REFERENCE \(Self.source.id(1, number, 1))\r\n"
            text += "GCS.NODE ACK n1 \(MemoryServer.start / 1000)-\(number)\r\n"
            text += "PEXPIRE GC:1 100000\r\n"
        }
        var (firstNumber, sizes) = (1, [Int]())
        for round in 1...60 {
            server.core.state.pointee.store.setLogSegment(firstNumber + parts.count - 1)
            if round % 2 == 0 { server.core.state.pointee.store.advanceLogEpoch() }
            server.send(Array(text.utf8), from: "driver")
            parts[parts.count - 1] += server.takeJournal()
            parts.append([])
            guard parts.count > 6 else { continue }
            server.core.state.pointee.store.setLogSegment(firstNumber + parts.count - 1)
            renew(parts.removeFirst(), of: firstNumber, in: &server)
            parts[parts.count - 1] += server.takeJournal()
            firstNumber += 1
            sizes.append(parts.reduce(0) { $0 + $1.count })
        }
        // Each thing is told twice in an epoch of two parts, and again in the next but two.
        #expect(sizes[sizes.count - 1] <= sizes[5] * 11 / 10, "\(sizes)")
    }

    /// Has the store tell again what a part tells of.
    private func renew(_ part: [UInt8], of number: Int, in server: inout MemoryServer) {
        let end = part.withUnsafeBytes {
            Change.renew(
                $0, from: 0, budget: .max, of: number, in: &server.core.state.pointee.store)
        }
        #expect(end == part.count, "a part that is not whole")
    }

    @Test("a DESTROY that went on in slices goes on where the log ended")
    func destroyUnderWay() throws {
        var server = MemoryServer()
        var told: [UInt8] = []
        server.core.state.pointee.store.startJournal()
        begin(&server, &told)
        server.send(Array("GCS.BATCH START ID 1\r\n".utf8), from: "driver")
        for child in 2...200 {
            let start = "GCS.BATCH START ID \(child) PARENT 1\r\n"
            let object = "GCS.OBJECT ADD \(Self.source.id(child, 1, 1)) n1 9\r\n"
            let keep = "GCS.BATCH KEEP \(child) \(Self.source.id(child, 1, 1))\r\n"
            server.send(Array((start + object + keep).utf8), from: "driver")
        }
        let (_, rest) = try server.core.state.pointee.store.destroyBatch(BatchID(rawValue: 1))
        let left = server.core.state.pointee.store.batchCount
        #expect(rest != nil && left > 100 && left < 200)
        var other = MemoryServer()
        other.send(told + server.takeJournal() + Array("GCS.LOAD FINISH\r\n".utf8), from: "loader")
        let replies = String(decoding: other.takeOutput("loader"), as: UTF8.self)
        #expect(replies.split(separator: "\r\n").allSatisfy { $0 == "+OK" })
        let count = other.core.state.pointee.store.batchCount
        let objectCount = other.core.state.pointee.store.objectCount
        #expect(count == 1 && objectCount == 0)
        #expect(other.core.state.pointee.store.log.count == 200)
    }

    @Test("a task of a batch that begins in the same turn, and whose id was forgotten, is told")
    func beginsAnew() {
        var settings = ServerSettings()
        settings.batchTombstone = .milliseconds(300)
        var server = MemoryServer(settings: settings)
        var told: [UInt8] = []
        server.core.state.pointee.store.startJournal()
        begin(&server, &told)
        server.send(Array("GCS.BATCH START ID 1\r\nGCS.BATCH END 1\r\n".utf8), from: "driver")
        told += server.takeJournal()
        server.advance(milliseconds: 5000)
        let texts = ["GCS.TASK ADD \(Self.source.id(2, 1, 0)) x", "GCS.BATCH START ID 1"]
        for text in texts + ["GCS.TASK ADD \(Self.source.id(1, 1, 0)) x"] {
            server.send(Array("\(text)\r\n".utf8), from: "driver")
        }
        let output = String(decoding: server.takeOutput("driver"), as: UTF8.self)
        #expect(!output.contains("-"), "\(output)")
        let rest = server.takeJournal()
        server.expectLoaded(from: told + rest, settings, 0)
    }

    private func begin(_ server: inout MemoryServer, _ told: inout [UInt8]) {
        var walk = JournalWalk()
        while !walk.isDone { server.core.state.pointee.store.advance(&walk, budget: 100) }
        told += server.takeJournal()
    }
}
