import Commands
import ControlStore
import Platform
import Server
import Settings

/// How long turns of the loop took, in microseconds of the thread's processor time and of the clock.
struct Turns {
    private(set) var processor: [Double] = []
    private(set) var clock: [Double] = []

    mutating func add(processor: Double, clock: Double) {
        self.processor.append(processor)
        self.clock.append(clock)
    }

    static func + (first: Turns, second: Turns) -> Turns {
        var sum = first
        sum.processor += second.processor
        sum.clock += second.clock
        return sum
    }
}

/// A server without sockets, with one client whose replies are thrown away but for the last line.
struct LocalServer: ~Copyable {
    private var core: Server
    private var transport = Sink()
    private let session: SessionPointer

    init(countsReferences: Bool = false) {
        var settings = ServerSettings()
        settings.referenceCounting = countsReferences
        var random = SystemRandomNumberGenerator()
        core = Server(
            settings: settings, host: Host(), seeds: HashSeeds(from: &random),
            unixMicroseconds: SystemClock.unixMicroseconds)
        var refusal = ""
        let session = core.open(
            peer: "127.0.0.1:1", local: "127.0.0.1:2", isLocal: true, isLoopback: true,
            refusal: &refusal)
        guard let session else { preconditionFailure("the client is refused: \(refusal)") }
        self.session = session
    }

    /// The last bytes that were replied.
    var lastReply: String { String(decoding: transport.last, as: UTF8.self) }

    /// The cursor that the last reply begins with.
    var cursor: String {
        let lines = String(decoding: transport.first, as: UTF8.self).split(separator: "\r\n")
        return lines.count > 2 ? String(lines[2]) : "0"
    }

    /// Sends requests, and turns until nothing is left to do.
    @discardableResult
    mutating func run(_ requests: [UInt8]) -> Turns {
        var turns = Turns()
        transport.first = []
        var rest = requests[...]
        var isMore = true
        while isMore {
            core.begin(at: SystemClock.unixMicroseconds)
            let room = core.input(for: session)
            let count = min(room.count, rest.count)
            _ = room.update(fromContentsOf: rest.prefix(count))
            rest = rest.dropFirst(count)
            let processor = SystemClock.threadNanoseconds
            let clock = SystemClock.monotonicNanoseconds
            if count > 0 { core.received(count, from: session) }
            isMore = core.finish(&transport) || !rest.isEmpty
            turns.add(
                processor: Double(SystemClock.threadNanoseconds - processor) / 1000,
                clock: Double(SystemClock.monotonicNanoseconds - clock) / 1000)
        }
        return turns
    }

    /// Sends one request.
    @discardableResult
    mutating func run(_ words: String...) -> Turns {
        run(Self.request(words.map { Array($0.utf8) }))
    }

    static func request(_ words: [[UInt8]]) -> [UInt8] {
        var bytes = Array("*\(words.count)\r\n".utf8)
        for word in words { bytes += Array("$\(word.count)\r\n".utf8) + word + [13, 10] }
        return bytes
    }

    /// Sends many requests, some at a time.
    mutating func fill(_ count: Int, _ words: (Int) -> [[UInt8]]) {
        for first in stride(from: 0, to: count, by: 1000) {
            var bytes: [UInt8] = []
            for number in first..<min(first + 1000, count) { bytes += Self.request(words(number)) }
            run(bytes)
        }
    }
}

/// Takes every byte, and keeps the last few.
private struct Sink: Transport {
    var first: [UInt8] = []
    var last: [UInt8] = []

    mutating func send(
        _ session: SessionPointer, _ chunk: UnsafeBufferPointer<UInt8>,
        _ queue: UnsafeBufferPointer<UInt8>
    ) -> Int {
        if first.isEmpty { first = Array(chunk.isEmpty ? queue.prefix(64) : chunk.prefix(64)) }
        last = Array(queue.isEmpty ? chunk.suffix(64) : queue.suffix(64))
        return chunk.count + queue.count
    }

    mutating func awaitRoom(_ session: SessionPointer, _ isWaiting: Bool) {}
    mutating func close(_ session: SessionPointer) { preconditionFailure("the server hung up") }
}
