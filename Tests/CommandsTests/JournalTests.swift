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
            server.send(commands(&random), from: "driver")
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
        compare(&server, told, settings, seed)
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
            server.send(commands(&random), from: "driver")
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
        compare(&server, head + parts.flatMap { $0 }, settings, seed)
    }

    @Test("stays small when the same is written over and over")
    func staysSmall() {
        var server = MemoryServer()
        server.core.state.pointee.store.startJournal()
        var parts: [[UInt8]] = [[]]
        begin(&server, &parts[0])
        var text = "GCS.BATCH START ID 1\r\nGCS.NODE REGISTER n1\r\n"
        for number in 0..<20 {
            let task = id(1, number, 0)
            text += "GCS.TASK ADD \(task) x ACTOR \(id(1, number % 4, 7)) STATE FINISHED\r\n"
            text += "GCS.OBJECT ADD \(id(1, number, 1)) n1 9\r\n"
            text += "GCS.REF ADD n1 1 LOCAL_REFERENCE \(id(1, number, 1))\r\n"
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
            let object = "GCS.OBJECT ADD \(id(child, 1, 1)) n1 9\r\n"
            let keep = "GCS.BATCH KEEP \(child) \(id(child, 1, 1))\r\n"
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
        let texts = ["GCS.TASK ADD \(id(2, 1, 0)) x", "GCS.BATCH START ID 1"]
        for text in texts + ["GCS.TASK ADD \(id(1, 1, 0)) x"] {
            server.send(Array("\(text)\r\n".utf8), from: "driver")
        }
        let output = String(decoding: server.takeOutput("driver"), as: UTF8.self)
        #expect(!output.contains("-"), "\(output)")
        compare(&server, told + server.takeJournal(), settings, 0)
    }

    private func begin(_ server: inout MemoryServer, _ told: inout [UInt8]) {
        var walk = JournalWalk()
        while !walk.isDone { server.core.state.pointee.store.advance(&walk, budget: 100) }
        told += server.takeJournal()
    }

    private func compare(
        _ server: inout MemoryServer, _ told: [UInt8], _ settings: ServerSettings, _ seed: UInt64
    ) {
        var other = MemoryServer(settings: settings)
        let clock = server.clock
        other.advance(milliseconds: (clock - MemoryServer.start) / 1000)
        // Replies to GCS.LOAD would fill memory for nothing.
        other.send(told + Array("GCS.LOAD FINISH\r\n".utf8), from: "loader")
        let replies = String(decoding: other.takeOutput("loader"), as: UTF8.self)
        let refused = replies.split(separator: "\r\n").filter { $0 != "+OK" }
        #expect(refused.isEmpty, "seed \(seed): \(refused.prefix(3))")
        let wanted = server.core.state.pointee.store.digest()
        let found = other.core.state.pointee.store.digest()
        let missing = wanted.filter { !found.contains($0) }
        let extra = found.filter { !wanted.contains($0) }
        #expect(missing.isEmpty, "seed \(seed): missing \(missing.prefix(3))")
        #expect(extra.isEmpty, "seed \(seed): extra \(extra.prefix(3))")
    }
}

/// Random commands about few things, so that they meet.
extension JournalTests {
    /// Commands of one turn: what is told at once and what is told last meet in it.
    private func commands(_ random: inout SeededRandom) -> [UInt8] {
        let count = Int.random(in: 0..<4, using: &random) == 0 ? 8 : 1
        return (0..<count).flatMap { _ in Array((command(&random) + "\r\n").utf8) }
    }

    private func command(_ random: inout SeededRandom) -> String {
        let batch = batch(&random)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<10: return start(batch, &random)
        case 10..<30: return task(&random)
        case 30..<45:
            return "GCS.OBJECT ADD \(object(&random)) n\(Int.random(in: 0..<4, using: &random)) 9"
        case 45..<49: return "GCS.BATCH KEEP \(batch) \(object(&random)) \(object(&random, batch))"
        case 49..<53: return "GCS.BATCH TRANSFER \(batch) \(object(&random)) \(object(&random))"
        case 53..<56: return "GCS.OBJECT PIN \(object(&random)) \(object(&random))"
        case 56..<60: return "GCS.OBJECT UNPIN \(object(&random)) \(object(&random))"
        case 60..<63: return "GCS.BATCH DEPEND \(batch) \(self.batch(&random))"
        case 63..<66:
            let word =
                ["OBJECT:\(object(&random))", "TASK:\(task(id: &random))"]
                .randomElement(using: &random) ?? ""
            return "SADD GC:\(batch) \(word)"
        case 66..<68: return "SREM GC:\(batch) OBJECT:\(object(&random, batch))"
        case 68..<72:
            let how = ["", "RECURSIVE ", "TASKS ", "RECURSIVE TASKS "].randomElement(using: &random)
            return "GCS.OBJECT FREE \(how ?? "")\(object(&random)) \(object(&random))"
        case 72..<75:
            let state = ["RUNNING", "FINISHED", "PENDING"].randomElement(using: &random)
            return "GCS.TASK STATE \(task(id: &random)) \(state ?? "")"
        case 75..<78: return "PEXPIRE GC:\(batch) \(Int.random(in: 1...600, using: &random))"
        case 78..<82: return "GCS.BATCH END \(batch)" + (batch % 5 == 0 ? " NOGC" : "")
        case 82: return "GCS.BATCH DESTROY \(batch)"
        case 83: return "DEL GC:\(batch)"
        case 84: return "DEL TASK:\(task(id: &random))"
        case 85: return "GCS.ACTOR CHECKPOINT \(actor(&random)) \(task(id: &random))"
        case 87: return "GCS.OBJECT SPILLED \(object(&random)) n2 /spill/a?offset=0&size=9"
        case 86: return "GCS.OBJECT REMOVE \(object(&random)) n1"
        default: return rare(&random)
        }
    }

    private func rare(_ random: inout SeededRandom) -> String {
        let node = "n\(Int.random(in: 0..<4, using: &random))"
        let process = Int.random(in: 1...3, using: &random)
        let types = ["LOCAL_REFERENCE", "PINNED_IN_MEMORY", "ACTOR_HANDLE"]
        let type = types.randomElement(using: &random) ?? ""
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<2: return "GCS.NODE REGISTER \(node) ADDRESS here STORE /tmp/s"
        case 2..<4: return "GCS.NODE ACK \(node) \(MemoryServer.start / 1000)-0"
        case 4: return "GCS.NODE REMOVE \(node)"
        case 5: return "GCS.REF CLEAR \(node)"
        case 6: return "GCS.REF CLEAR \(node) \(process)"
        case 7..<9: return "GCS.REF REMOVE \(node) \(process) \(type) \(object(&random))"
        case 9:
            return Int.random(in: 0..<20, using: &random) == 0 ? "FLUSHALL" : "PING"
        default:
            return "GCS.REF ADD \(node) \(process) \(type) \(object(&random)) BYTES 9 SITE here"
        }
    }

    private func start(_ batch: Int, _ random: inout SeededRandom) -> String {
        var text = "GCS.BATCH START ID \(batch) PARENT \(self.batch(&random)) NAME b\(batch)"
        if Int.random(in: 0..<4, using: &random) == 0 { text += " TIMEOUT 1" }
        if Int.random(in: 0..<6, using: &random) == 0 { text += " NOCLEANUP" }
        return text
    }

    private func task(_ random: inout SeededRandom) -> String {
        let size = Int.random(in: 1...200, using: &random)
        var text = "GCS.TASK ADD \(task(id: &random)) \(String(repeating: "x", count: size))"
        if Int.random(in: 0..<2, using: &random) == 0 { text += " STATE FINISHED" }
        if Int.random(in: 0..<3, using: &random) == 0 { text += " ACTOR \(actor(&random))" }
        if Int.random(in: 0..<3, using: &random) == 0 {
            text += " ARGS 2 \(object(&random)) \(object(&random))"
        }
        return text
    }

    private func batch(_ random: inout SeededRandom) -> Int {
        Int.random(in: 0...12, using: &random)
    }

    private func id(_ batch: Int, _ unique: Int, _ index: Int) -> String {
        "\(RecordID(batch: BatchID(rawValue: Int64(batch)), unique: UInt64(unique), index: UInt32(index)))"
    }

    private func object(_ random: inout SeededRandom, _ batch: Int? = nil) -> String {
        id(
            batch ?? self.batch(&random), Int.random(in: 0..<12, using: &random),
            Int.random(in: 1...2, using: &random))
    }

    private func task(id random: inout SeededRandom) -> String {
        id(batch(&random), Int.random(in: 0..<12, using: &random), 0)
    }

    private func actor(_ random: inout SeededRandom) -> String {
        id(0, Int.random(in: 0..<4, using: &random), 0)
    }
}

/// splitmix64: the same seed gives the same run on every machine.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    /// The seeds that a test runs: the first `count`, or `SEEDS=n`; a failure names its seed.
    static func seeds(_ count: UInt64) -> Range<UInt64> {
        0..<(ProcessInfo.processInfo.environment["SEEDS"].flatMap { UInt64($0) } ?? count)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
