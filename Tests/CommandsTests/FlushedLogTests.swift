import Identifiers
import RESP
import Server
import Settings
import Testing

@testable import Commands
@testable import ControlStore
@testable import DiskTier

/// After a crash, what the log told durably and what lies on disk make up the store as it was then: for random
/// commands to a server that flushes at random moments, crashes between them, and a disk that answers late.
@Suite struct FlushedLogTests {
    static let seeds = SeededRandom.seeds(4)

    @Test("log and disk are the store", arguments: seeds)
    func isWhole(seed: UInt64) throws {
        var run = LoggedRun(seed: seed)
        for step in 0..<800 {
            run.step(step)
            if run.random.next() % 8 == 0 { run.sync() }
            if run.random.next() % 32 == 0 { try run.crash("seed \(seed) step \(step)") }
            if run.random.next() % 300 == 0 { try run.beginAnew() }
        }
        #expect(run.flushing.server.core.state.pointee.store.flushedCount > 10, "seed \(seed)")
        #expect(run.crashCount > 3, "seed \(seed)")
    }

    @Test("a snapshot holds what is on disk, too", arguments: seeds)
    func snapshotIsWhole(seed: UInt64) throws {
        var run = LoggedRun(seed: seed)
        for step in 0..<800 {
            run.step(step)
            if run.random.next() % 100 == 0 { try run.snapshot("seed \(seed) step \(step)") }
        }
        #expect(run.snapshotCount > 0, "seed \(seed)")
    }
}

/// Random commands to a server that flushes and tells a log.
struct LoggedRun: ~Copyable {
    var flushing: FlushingServer
    var random: SeededRandom
    private let settings: ServerSettings
    /// What there was when the log was made durable last.
    private var durable: (digest: [String], clock: Int64) = ([], 0)
    private(set) var snapshotCount = 0
    private(set) var crashCount = 0

    init(seed: UInt64) {
        var settings = ServerSettings()
        settings.flushPolicy = .none
        settings.referenceCounting = seed % 3 == 0
        settings.batchTombstone = seed % 4 == 0 ? .milliseconds(300) : .seconds(3599)
        self.settings = settings
        flushing = FlushingServer(settings, seed)
        random = SeededRandom(seed: seed)
        flushing.server.core.state.pointee.store.startJournal()
        flushing.log = ([], 0)
        try? beginAnew()
        sync()
    }

    /// A command.
    mutating func step(_ number: Int) {
        let line = Array((RandomCommand.make(&random) + "\r\n").utf8)
        flushing.disturb()
        _ = flushing.reply(to: line)
        guard number % 10 == 0 else { return }
        flushing.server.advance(milliseconds: Int64.random(in: 1...40, using: &random))
    }

    /// Makes the log durable.
    mutating func sync() {
        flushing.sync()
        flushing.isSyncedInside = false
        durable = (flushing.digest(), flushing.server.clock)
    }

    /// Has the log begin anew with what is in memory; what was told before goes.
    mutating func beginAnew() throws {
        flushing.finishRemovals()
        flushing.sync()
        var walk = JournalWalk()
        while !walk.isDone { flushing.server.core.state.pointee.store.advance(&walk, budget: 100) }
        flushing.log = ([], 0)
        flushing.restartQueue()
        sync()
    }

    /// Loads what is durable as after a crash, and compares.
    mutating func crash(_ what: String) throws {
        // What there was in the middle of a command is not known.
        guard !flushing.isSyncedInside else { return }
        crashCount += 1
        let log = Array(flushing.log?.bytes.prefix(flushing.log?.durable ?? 0) ?? [])
        var other = LoadedServer(settings, at: durable.clock)
        try other.load(log, flushing.engine.copy())
        try other.bringBack()
        compare(other.server.core.state.pointee.store.digest(), with: durable.digest, what)
    }

    /// Writes a snapshot, while commands go on; loads it and compares.
    mutating func snapshot(_ what: String) throws {
        flushing.tell()
        flushing.snapshot = []
        var walk = JournalWalk(isWithFlushed: true)
        var number = 0
        while !walk.isDone {
            flushing.server.core.state.pointee.store.advance(&walk, budget: 7)
            flushing.tell()
            flushing.step()
            number += 1
            if number % 3 == 0 { step(number) }
        }
        flushing.tell()
        let bytes = flushing.snapshot ?? []
        flushing.snapshot = nil
        flushing.server.core.state.pointee.store.endTelling()
        var other = LoadedServer(settings, at: flushing.server.clock)
        try other.load(bytes, nil)
        snapshotCount += 1
        compare(
            other.server.core.state.pointee.store.digest(), with: flushing.digest(), what)
    }

    private func compare(_ found: [String], with wanted: [String], _ what: String) {
        let missing = wanted.filter { !found.contains($0) }
        let extra = found.filter { !wanted.contains($0) }
        #expect(missing.isEmpty, "\(what): missing \(missing.prefix(3))")
        #expect(extra.isEmpty, "\(what): extra \(extra.prefix(3))")
    }
}

/// A server that loads a log, and takes over a disk.
struct LoadedServer: ~Copyable {
    var server: MemoryServer
    private var work: DiskWork?
    private var engine: MemoryEngine?

    init(_ settings: ServerSettings, at clock: Int64) {
        server = MemoryServer(settings: settings)
        server.advance(milliseconds: (clock - MemoryServer.start) / 1000)
        server.core.state.pointee.isLoading = true
    }

    /// Loads a log, or a snapshot, which has no disk.
    mutating func load(_ log: [UInt8], _ disk: MemoryEngine?) throws {
        engine = disk
        work = disk.map { DiskWork($0) }
        if disk != nil { server.core.state.pointee.store.expectDisk() }
        try apply(log)
        carry()
        server.core.state.pointee.store.restoreFlushed()
        while case .underWay = server.core.state.pointee.store.diskRestoration { carry() }
        if case .failed(let reason) = server.core.state.pointee.store.diskRestoration {
            Issue.record("\(reason)")
        }
        server.core.state.pointee.store.finishLoading()
        server.core.state.pointee.store.resumeLoaded()
        server.core.state.pointee.isLoading = false
        server.settle()
        carry()
    }

    /// Reads everything that is on disk into memory.
    mutating func bringBack() throws {
        for (key, value) in engine?.contents ?? [:] {
            guard let read = server.core.state.pointee.store.diskRead([key]) else { continue }
            #expect(server.core.state.pointee.store.take(read, [value]) != nil)
        }
        #expect(server.core.state.pointee.store.awayCount == 0)
    }

    private mutating func carry() {
        var replies: [DiskReply] = []
        for request in server.core.state.pointee.store.takeDiskRequests() {
            work?.run(request) { replies.append($0) }
        }
        for reply in replies { server.core.state.pointee.receive(reply) }
    }

    private mutating func apply(_ log: [UInt8]) throws {
        var parser = RequestParser()
        var offset = 0
        while offset < log.count {
            let taken = try log.withUnsafeBytes { bytes in
                guard let base = bytes.baseAddress else { return 0 }
                let rest = UnsafeRawBufferPointer(rebasing: bytes[offset...])
                let taken = try parser.parse(rest.bytes, limits: RequestParser.Limits()) ?? 0
                var words = parser.words(at: (base + offset).assumingMemoryBound(to: UInt8.self))
                words.position = 1
                var change = Change(words: words)
                try change.apply(try change.name(), to: &server.core.state.pointee.store)
                return taken
            }
            guard taken > 0 else {
                Issue.record("a log that is not whole")
                return
            }
            parser.reset()
            offset += taken
            carry()
        }
    }
}
