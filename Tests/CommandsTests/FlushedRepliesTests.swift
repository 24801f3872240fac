import Identifiers
import RESP
import Server
import Settings
import Synchronization
import Testing

@testable import Commands
@testable import ControlStore
@testable import DiskTier

/// The same random commands to a server that flushes at random moments and to one that never does:
/// every reply and every notification is the same.
@Suite struct FlushedRepliesTests {
    static let seeds = SeededRandom.seeds(12)

    @Test("flushing changes no reply", arguments: seeds)
    func isInvisible(seed: UInt64) {
        var settings = ServerSettings()
        settings.flushPolicy = .none
        settings.referenceCounting = seed % 3 == 0
        settings.batchTombstone = seed % 4 == 0 ? .milliseconds(50) : .milliseconds(300)
        var plain = MemoryServer(settings: settings)
        var flushing = FlushingServer(settings, seed)
        var random = SeededRandom(seed: seed)
        plain.send(Array("PSUBSCRIBE GC:*\r\n".utf8), from: "watcher")
        flushing.server.send(Array("PSUBSCRIBE GC:*\r\n".utf8), from: "watcher")
        for step in 0..<1500 {
            let text = RandomCommand.make(&random)
            let line = Array((text + "\r\n").utf8)
            flushing.disturb()
            plain.send(line, from: "driver")
            let wanted = comparable(text, plain.takeOutput("driver"))
            let found = comparable(text, flushing.reply(to: line))
            guard found == wanted else {
                let extra = found.filter { !wanted.contains($0) || isTwice($0, found) }
                let missing = wanted.filter { !found.contains($0) }
                Issue.record(
                    "seed \(seed) step \(step): \(text): extra \(extra), missing \(missing)")
                return
            }
            let right = news(plain.takeOutput("watcher"))
            let wrong = news(flushing.server.takeOutput("watcher"))
            guard right == wrong else {
                Issue.record("seed \(seed) step \(step): \(text): \(wrong), not \(right)")
                return
            }
            if step % 10 == 0 {
                let time = Int64.random(in: 1...40, using: &random)
                plain.advance(milliseconds: time)
                flushing.server.advance(milliseconds: time)
            }
        }
        #expect(flushing.server.core.state.pointee.store.flushedCount > 50, "seed \(seed)")
        #expect(flushing.readCount > 10, "seed \(seed)")
        flushing.check(seed)
    }

    /// What was published: the objects that are freed, however many a message tells of, and the rest.
    private func news(_ output: [UInt8]) -> [String] {
        String(decoding: output, as: UTF8.self).split(separator: "\r\n")
            .filter { $0.hasPrefix("{") }
            .flatMap { message -> [String] in
                // Ids of the log count messages.
                let told = String(message.drop { $0 != "," })
                guard told.hasPrefix(",\"objects\":[") else { return [told] }
                return told.split(separator: "\"").filter { $0.count == 40 }.map(String.init)
            }
    }

    private func isTwice(_ line: String, _ lines: [String]) -> Bool {
        line.count > 40 && lines.count { $0 == line } > 1
    }

    /// Replies in which order tells nothing, sorted.
    private func comparable(_ text: String, _ reply: [UInt8]) -> [String] {
        let lines = String(decoding: reply, as: UTF8.self).split(separator: "\r\n").map(String.init)
        let isList = ["SMEMBERS", "KEYS"].contains { text.hasPrefix($0) }
        return isList ? lines.sorted() : lines
    }
}

/// A server whose disk answers when it is told to.
struct FlushingServer: ~Copyable {
    var server: MemoryServer
    private var random: SeededRandom
    private var work: DiskWork
    private(set) var engine = MemoryEngine()
    /// What the log tells, and how much of it is durable; `nil` without a log.
    var log: (bytes: [UInt8], durable: Int)?
    /// Whether the log was made durable while a command was under way.
    var isSyncedInside = false
    /// What a snapshot was told; `nil` while none is written.
    var snapshot: [UInt8]?
    private var queue = DiskQueue()
    private var writes: [DiskRequest] = []
    private var reads: [DiskRequest] = []
    private(set) var readCount = 0

    init(_ settings: ServerSettings, _ seed: UInt64) {
        server = MemoryServer(settings: settings)
        server.core.state.pointee.flush.hasDisk = true
        // Commands come between slices of any length.
        server.core.state.pointee.flush.sliceBudget = seed % 2 == 0 ? 512 : 1 + Int(seed % 40)
        random = SeededRandom(seed: seed ^ 0x1234_5678)
        work = DiskWork(engine)
    }

    /// Flushes, reads and lets the disk answer, a little.
    mutating func disturb() {
        switch Int.random(in: 0..<12, using: &random) {
        case 0: send("GCS.FLUSH \(Int.random(in: 1...60, using: &random))", "flusher")
        case 1: send("GCS.FLUSH 1000", "flusher")
        case 2, 3: send("GCS.TASK GET \(RandomCommand.task(id: &random))", "reader")
        case 4: send("GCS.OBJECT GET \(RandomCommand.object(&random))", "reader")
        case 5: send("SMEMBERS GC:\(Int.random(in: 1...6, using: &random))", "reader")
        case 6:
            if Int.random(in: 0..<20, using: &random) == 0 { engine.fails.withLock { $0 = true } }
        default: engine.fails.withLock { $0 = false }
        }
        for _ in 0..<Int.random(in: 0...2, using: &random) { step() }
    }

    private mutating func send(_ text: String, _ client: String) {
        server.send(Array((text + "\r\n").utf8), from: client)
        _ = server.takeOutput(client)
    }

    /// What the driver is answered; the disk works until there is an answer.
    mutating func reply(to line: [UInt8]) -> [UInt8] {
        server.send(line, from: "driver")
        var reply = server.takeOutput("driver")
        for _ in 0..<10_000 where reply.isEmpty {
            engine.fails.withLock { $0 = false }
            step()
            reply = server.takeOutput("driver")
        }
        return reply
    }

    /// Has the log tell what changed, and takes what the disk is asked, as the end of a turn does.
    private mutating func collect() -> [DiskRequest] {
        tell()
        let new = server.core.state.pointee.store.takeDiskRequests()
        let free = queue.add(new, behind: log.map { UInt64($0.bytes.count) })
        // Who waits for the disk has the log made durable.
        if queue.isWaiting, Int.random(in: 0..<12, using: &random) == 0 {
            sync()
            isSyncedInside = true
        }
        return free + queue.take(upTo: UInt64(log?.durable ?? 0))
    }

    /// Makes durable what the log tells.
    mutating func sync() {
        tell()
        let end = log?.bytes.count ?? 0
        log?.durable = end
    }

    /// Works until the disk has removed what it was asked to.
    mutating func finishRemovals() {
        engine.fails.withLock { $0 = false }
        for _ in 0..<10_000 {
            let removals = server.core.state.pointee.store.diskRemovals
            if removals.requested == removals.done, !queue.isWaiting { return }
            sync()
            step()
        }
    }

    /// Counts positions from the beginning again: the log begins anew, and nothing waits for it.
    mutating func restartQueue() { queue = DiskQueue() }

    /// Everything there is, in memory and on disk.
    mutating func digest() -> [String] {
        var lines = server.core.state.pointee.store.digest()
        for (key, bytes) in engine.contents
        where server.core.state.pointee.store.isMissing(key) {
            lines.append("record \(key.id) \(key.kind) of \(key.id.batch) false \(bytes)")
        }
        return lines.sorted()
    }

    /// Has the log, and a snapshot under way, told what changed; records on disk first.
    mutating func tell() {
        snapshot? += Array(server.core.state.pointee.store.flushedJournalBytes)
        let changes = server.takeJournal()
        snapshot? += changes
        log?.bytes += changes
    }

    /// Carries one request out: the next write, or any read.
    mutating func step() {
        for request in collect() {
            if case .read(_, _, isOrdered: false) = request {
                reads.append(request)
            } else {
                writes.append(request)
            }
        }
        var replies: [DiskReply] = []
        if !reads.isEmpty, writes.isEmpty || Bool.random(using: &random) {
            let request = reads.remove(at: Int.random(in: 0..<reads.count, using: &random))
            if case .read(let ticket, let keys, _) = request {
                replies.append(DiskWork.read(ticket, keys, engine))
            }
            readCount += 1
        } else if !writes.isEmpty {
            work.run(writes.removeFirst()) { replies.append($0) }
        } else {
            work.retry { replies.append($0) }
        }
        for reply in replies { server.core.state.pointee.receive(reply) }
        server.settle()
    }

    /// Counts agree with what is where.
    mutating func check(_ seed: UInt64) {
        server.advance(milliseconds: 5000)
        for _ in 0..<200 { step() }
        let state = server.core.state
        var away = 0
        for slot in 1..<state.pointee.store.batches.slotCount {
            guard let batch = state.pointee.store.batches.batch(atSlot: slot) else { continue }
            let disk = batch.pointee.disk?.pointee.awayCount ?? 0
            away += disk
            let count =
                Int(batch.pointee.taskCount + batch.pointee.objectCount)
                + Int(batch.pointee.actorRecordCount)
            // Which batches need an object is kept with the records, and counted nowhere.
            let region = batch.pointee.region
            var (present, position) = (0, UInt64(0))
            while position < 1 << 32 {
                position = region.index.walk(from: position) { reference in
                    if region.key(of: region.entry(reference)).kind != .need { present += 1 }
                }
            }
            #expect(present + disk == count, "seed \(seed)")
        }
        #expect(away == state.pointee.store.awayCount, "seed \(seed)")
        #expect(state.pointee.store.flushing.byteCount == 0, "seed \(seed)")
        #expect(state.pointee.store.flushing.recordCount == 0, "seed \(seed)")
    }
}

/// A disk in memory that can be told to fail.
final class MemoryEngine: DiskEngine {
    let fails = Mutex(false)
    private let entries = Mutex<[RecordKey: [UInt8]]>([:])

    /// The same contents, on their own.
    func copy() -> MemoryEngine {
        let copy = MemoryEngine()
        copy.entries.withLock { $0 = entries.withLock { $0 } }
        copy.identity.withLock { $0 = identity.withLock { $0 } }
        return copy
    }

    /// Everything there is.
    var contents: [RecordKey: [UInt8]] { entries.withLock { $0 } }

    private let identity = Mutex(UInt64(0))

    func begin(identity: UInt64) throws(DiskError) {
        try check()
        self.identity.withLock { $0 = identity }
        entries.withLock { $0 = [:] }
    }

    func rename(identity: UInt64) throws(DiskError) {
        try check()
        self.identity.withLock { $0 = identity }
    }

    func keep(identity: UInt64) throws(DiskError) {
        guard self.identity.withLock({ $0 == identity }) else {
            throw DiskError("another identity")
        }
    }

    func clear() throws(DiskError) {
        try check()
        entries.withLock { $0 = [:] }
    }

    func list(
        after last: RecordKey?, of batch: BatchID?
    ) throws(DiskError) -> (page: DiskGroup, isEnd: Bool) {
        func place(_ key: RecordKey) -> [UInt8] { DiskKey(key).withBytes { Array($0) } }
        let rest = entries.withLock { entries in
            entries.filter { batch == nil || $0.key.id.batch == batch }
                .map { (place: place($0.key), key: $0.key, bytes: $0.value) }
                .filter { entry in
                    last.map { place($0).lexicographicallyPrecedes(entry.place) } ?? true
                }
                .sorted { $0.place.lexicographicallyPrecedes($1.place) }
        }
        var page = DiskGroup()
        for entry in rest.prefix(5) {
            entry.bytes.withUnsafeBytes { page.append(entry.key, $0) }
        }
        return (page, rest.count <= 5)
    }

    private func check() throws(DiskError) {
        if fails.withLock({ $0 }) { throw DiskError("told to fail") }
    }

    func put(_ group: DiskGroup) throws(DiskError) {
        try check()
        entries.withLock { entries in
            group.forEach { key, value in
                if let key = DiskKey.read(key)?.key { entries[key] = Array(value) }
            }
        }
    }

    func remove(_ keys: [RecordKey], _ batches: [BatchID]) throws(DiskError) {
        try check()
        entries.withLock { entries in
            for key in keys { entries[key] = nil }
            for batch in batches { entries = entries.filter { $0.key.id.batch != batch } }
        }
    }

    func get(_ key: RecordKey) throws(DiskError) -> [UInt8]? {
        entries.withLock { $0[key] }
    }

    func scan(
        _ batch: BatchID, from place: UInt64, count: Int
    ) throws(DiskError) -> (keys: [RecordKey], next: UInt64) {
        let all = entries.withLock { entries in
            entries.keys.filter { $0.id.batch == batch }
                .map { (place: UInt64(DiskKey.place(of: $0)), key: $0) }
                .filter { $0.place >= place }.sorted { $0.place < $1.place }
        }
        let page = all.prefix(count)
        guard all.count > count else { return (page.map(\.key), 1 << 32) }
        return (page.map(\.key), all[count].place)
    }

    func reclaim(_ batches: [BatchID]) {}
    var byteCount: Int { 0 }
    func recover() throws(DiskError) { try check() }
    func close() {}
}

/// Random commands about few things, so that they meet.
enum RandomCommand {
    static func make(_ random: inout SeededRandom) -> String {
        let number = batch(&random)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<6: return start(number, &random)
        case 6..<24: return add(&random)
        case 24..<36:
            return "GCS.OBJECT ADD \(object(&random)) n\(Int.random(in: 0..<4, using: &random)) 9"
        case 36..<39:
            return "GCS.BATCH KEEP \(number) \(object(&random)) \(object(&random, number))"
        case 39..<42: return "GCS.BATCH TRANSFER \(number) \(object(&random)) \(object(&random))"
        case 42..<44: return "GCS.OBJECT PIN \(object(&random)) \(object(&random))"
        case 44..<46: return "GCS.OBJECT UNPIN \(object(&random)) \(object(&random))"
        case 46..<48: return "SADD GC:\(number) OBJECT:\(object(&random))"
        case 48: return "SADD GC:\(number) TASK:\(task(id: &random))"
        case 49: return "SREM GC:\(number) OBJECT:\(object(&random, number))"
        case 50..<53: return free(&random)
        case 53..<57:
            let state = Int.random(in: 0..<4, using: &random) == 0 ? "RUNNING" : "FINISHED"
            return "GCS.TASK STATE \(task(id: &random)) \(state)"
        case 57:
            guard Int.random(in: 0..<4, using: &random) == 0 else { return add(&random) }
            return "PEXPIRE GC:\(number) \(Int.random(in: 1...600, using: &random))"
        case 58..<61:
            guard Int.random(in: 0..<4, using: &random) == 0 else { return start(number, &random) }
            return "GCS.BATCH END \(number)" + (number % 5 == 0 ? " NOGC" : "")
        case 61: return "DEL TASK:\(task(id: &random)) OBJECT:\(object(&random))"
        case 62: return "GCS.ACTOR CHECKPOINT \(actor(&random)) \(task(id: &random))"
        case 63: return "GCS.OBJECT SPILLED \(object(&random)) n2 /spill/a?offset=0&size=9"
        case 64: return "GCS.OBJECT REMOVE \(object(&random)) n1"
        case 65..<68: return reference(&random)
        default: return read(number, &random)
        }
    }

    private static func read(_ number: Int, _ random: inout SeededRandom) -> String {
        switch Int.random(in: 0..<14, using: &random) {
        case 0..<3: "GCS.TASK GET \(task(id: &random))"
        case 3: "GCS.OBJECT GET \(object(&random))"
        case 4: "HGETALL TASK:\(task(id: &random))"
        case 5: "HGET OBJECT:\(object(&random)) bytes"
        case 6:
            "EXISTS TASK:\(task(id: &random)) TASK:\(task(id: &random)) OBJECT:\(object(&random))"
        case 7, 8: "SMEMBERS GC:\(number)"
        case 9: "SCARD GC:\(number)"
        case 10: "SISMEMBER GC:\(number) TASK:\(task(id: &random))"
        case 11: "KEYS *"
        case 12: "DBSIZE"
        default: "MEMORY USAGE TASK:\(task(id: &random))"
        }
    }

    private static func reference(_ random: inout SeededRandom) -> String {
        let node = "n\(Int.random(in: 0..<4, using: &random))"
        switch Int.random(in: 0..<4, using: &random) {
        case 0: return "GCS.REF CLEAR \(node)"
        case 1: return "GCS.REF REMOVE \(node) 1 LOCAL_REFERENCE \(object(&random))"
        default: return "GCS.REF ADD \(node) 1 LOCAL_REFERENCE \(object(&random))"
        }
    }

    private static func free(_ random: inout SeededRandom) -> String {
        var text = "GCS.OBJECT FREE"
        if Bool.random(using: &random) { text += " RECURSIVE" }
        if Int.random(in: 0..<3, using: &random) == 0 { text += " TASKS" }
        return text + " \(object(&random)) \(object(&random))"
    }

    private static func start(_ batch: Int, _ random: inout SeededRandom) -> String {
        let parent = Int.random(in: 0..<3, using: &random) == 0 ? self.batch(&random) : 0
        var text = "GCS.BATCH START ID \(batch) PARENT \(parent)"
        if Int.random(in: 0..<12, using: &random) == 0 { text += " TIMEOUT 1" }
        return text
    }

    private static func add(_ random: inout SeededRandom) -> String {
        let size = Int.random(in: 1...200, using: &random)
        var text = "GCS.TASK ADD \(task(id: &random)) \(String(repeating: "x", count: size))"
        if Int.random(in: 0..<100, using: &random) == 0 {
            text += String(repeating: "y", count: 40_000)
        }
        if Int.random(in: 0..<3, using: &random) == 0 { text += " ACTOR \(actor(&random))" }
        if Int.random(in: 0..<3, using: &random) == 0 {
            text += " ARGS 2 \(object(&random)) \(object(&random))"
        }
        return text
    }

    static func batch(_ random: inout SeededRandom) -> Int { Int.random(in: 0...6, using: &random) }

    private static func id(_ batch: Int, _ unique: Int, _ index: Int) -> String {
        let batch = BatchID(rawValue: Int64(batch))
        return "\(RecordID(batch: batch, unique: UInt64(unique), index: UInt32(index)))"
    }

    static func object(_ random: inout SeededRandom, _ batch: Int? = nil) -> String {
        id(
            batch ?? self.batch(&random), Int.random(in: 0..<16, using: &random),
            Int.random(in: 1...2, using: &random))
    }

    static func task(id random: inout SeededRandom) -> String {
        id(batch(&random), Int.random(in: 0..<16, using: &random), 0)
    }

    private static func actor(_ random: inout SeededRandom) -> String {
        id(0, Int.random(in: 0..<4, using: &random), 0)
    }
}
