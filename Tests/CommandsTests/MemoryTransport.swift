import Commands
import ControlStore
import RESP
import Server
import Settings
import Testing

/// A server with its clients in memory, on a clock that moves when told to.
struct MemoryServer: ~Copyable {
    var core: Server
    private(set) var clock: Int64
    private var transport = MemoryTransport()
    private var sessions: [String: SessionPointer] = [:]

    /// 2023-11-14 22:13:20 UTC, in microseconds.
    static let start: Int64 = 1_700_000_000_000_000

    init(settings: ServerSettings = ServerSettings()) {
        clock = Self.start
        var random = FixedGenerator()
        core = Server(
            settings: settings, host: Host(), seeds: HashSeeds(from: &random),
            unixMicroseconds: clock)
        core.begin(at: clock)
    }

    /// Sends bytes as a client; a new one connects first.
    mutating func send(_ bytes: [UInt8], from client: String) {
        var rest = bytes[...]
        while !rest.isEmpty {
            var count = offer(rest, from: client)
            if count == 0 {
                // It has enough that waits for a turn.
                while core.finish(&transport) {}
                count = offer(rest, from: client)
            }
            guard count > 0 else { break }
            rest = rest.dropFirst(count)
        }
        settle()
    }

    /// Sends what is taken of some bytes at once, without a turn; how many they are.
    mutating func offer(_ bytes: some Collection<UInt8>, from client: String) -> Int {
        let session = session(client)
        let room = core.input(for: session)
        let count = min(room.count, bytes.count)
        guard count > 0 else { return 0 }
        _ = room.update(fromContentsOf: bytes.prefix(count))
        core.received(count, from: session)
        return count
    }

    /// Whether more of a client is read.
    mutating func isRead(_ client: String) -> Bool { core.wantsInput(session(client)) }

    private mutating func session(_ client: String) -> SessionPointer {
        if let session = sessions[client] { return session }
        var refusal = ""
        let session = core.open(
            peer: "127.0.0.1:\(4000 + sessions.count)", local: "127.0.0.1:6379", isLocal: false,
            isLoopback: true, refusal: &refusal)
        guard let session else { preconditionFailure("\(client) is refused: \(refusal)") }
        sessions[client] = session
        return session
    }

    /// Turns until nothing is left to do.
    mutating func settle() {
        while core.finish(&transport) {}
        for (client, session) in sessions {
            transport.output[client, default: []] += transport.taken[session] ?? []
            guard transport.closed.contains(session) else { continue }
            transport.output[client, default: []] += Array("<closed>".utf8)
            core.state.pointee.closeSession(session)
            sessions[client] = nil
        }
        transport.taken = [:]
        transport.closed = []
    }

    /// Moves the clock.
    mutating func advance(milliseconds: Int64) {
        clock += milliseconds * 1000
        core.begin(at: clock)
        settle()
    }

    /// What a client was sent since the last look.
    mutating func takeOutput(_ client: String) -> [UInt8] {
        transport.output.removeValue(forKey: client) ?? []
    }

    /// What the journal told since the last time.
    mutating func takeJournal() -> [UInt8] {
        core.state.pointee.store.commitJournal()
        defer { core.state.pointee.store.clearJournal() }
        return Array(core.state.pointee.store.journalBytes)
    }

    /// Expects that an empty server that takes in what this one told is the same.
    func expectLoaded(from told: [UInt8], _ settings: ServerSettings, _ seed: UInt64) {
        var other = MemoryServer(settings: settings)
        other.advance(milliseconds: (clock - Self.start) / 1000)
        // Replies to GCS.LOAD would fill memory for nothing.
        other.send(told + Array("GCS.LOAD FINISH\r\n".utf8), from: "loader")
        let replies = String(decoding: other.takeOutput("loader"), as: UTF8.self)
        let refused = replies.split(separator: "\r\n").filter { $0 != "+OK" }
        #expect(refused.isEmpty, "seed \(seed): \(refused.prefix(3))")
        let wanted = core.state.pointee.store.digest()
        let found = other.core.state.pointee.store.digest()
        let missing = wanted.filter { !found.contains($0) }
        let extra = found.filter { !wanted.contains($0) }
        #expect(missing.isEmpty, "seed \(seed): missing \(missing.prefix(3))")
        #expect(extra.isEmpty, "seed \(seed): extra \(extra.prefix(3))")
    }

    /// Full names of the commands that were called.
    func calledCommands() -> Set<String> { core.state.pointee.calledCommands }

    /// Full names of all commands.
    func commandNames() -> [String] { core.state.pointee.commandNames }
}

/// Takes every byte at once.
struct MemoryTransport: Transport {
    var taken: [SessionPointer: [UInt8]] = [:]
    var closed: [SessionPointer] = []
    var output: [String: [UInt8]] = [:]

    mutating func send(
        _ session: SessionPointer, _ chunk: UnsafeBufferPointer<UInt8>,
        _ queue: UnsafeBufferPointer<UInt8>
    ) -> Int {
        taken[session, default: []] += chunk
        taken[session, default: []] += queue
        return chunk.count + queue.count
    }

    mutating func awaitRoom(_ session: SessionPointer, _ isWaiting: Bool) {}

    mutating func close(_ session: SessionPointer) { closed.append(session) }
}

/// The same numbers in every run.
struct FixedGenerator: RandomNumberGenerator {
    private var state: UInt64 = 1
    mutating func next() -> UInt64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return state
    }
}
