internal import Commands
internal import ControlStore
internal import Identifiers
internal import RESP
internal import Server
internal import Settings

/// One life of a server: the real core, with links instead of sockets.
struct SimulatedServer: ~Copyable {
    private var core: Server
    private var transport = LinkTransport()
    private var sessions: [Int: SessionPointer] = [:]
    private var random: Random
    /// What survives it; `nil` when nothing does.
    private(set) var log: SimulatedLog?

    /// The link of the one who loads the log.
    private static let loader = -1

    /// A server that has just started: with what its log tells, if it has one.
    init(seed: UInt64, _ plan: Plan, at now: Int64, log: SimulatedLog? = nil) {
        random = Random(seed: seed)
        var settings = ServerSettings()
        settings.referenceCounting = plan.isCounting
        settings.nodeTimeout = .seconds(plan.nodeTimeout)
        core = Server(
            settings: settings, host: Host(), seeds: HashSeeds(from: &random),
            unixMicroseconds: now * 1000)
        core.begin(at: now * 1000)
        guard plan.isDurable else { return }
        load(log ?? SimulatedLog(), isNew: log == nil)
    }

    private mutating func load(_ old: SimulatedLog, isNew: Bool) {
        var log = old
        for group in log.groups { apply(group) }
        core.state.pointee.store.startJournal()
        if isNew {
            log.rewrite()
            while log.isBeingRewritten { log.keep(&core.state.pointee.store, budget: 100) }
        } else {
            finishLoading()
        }
        self.log = log
        keepLog()
    }

    /// Makes things what a group of the log tells.
    private func apply(_ group: [UInt8]) {
        group.withUnsafeBytes { bytes in
            var rest = bytes
            while !rest.isEmpty {
                var parser = RequestParser()
                let taken = try? parser.parse(rest.bytes, limits: RequestParser.Limits())
                guard let taken, let start = rest.bindMemory(to: UInt8.self).baseAddress else {
                    preconditionFailure("the log has half a change")
                }
                var words = parser.words(at: start)
                words.position = 1
                apply(words)
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(taken))
            }
        }
    }

    private func apply(_ words: Words) {
        var change = Change(words: words)
        do throws(CommandError) {
            let name = try change.name()
            try change.apply(name, to: &core.state.pointee.store)
        } catch {
            preconditionFailure("the log is refused: \(error.text(for: "gcs.load"))")
        }
    }

    /// What was under way goes on.
    private mutating func finishLoading() {
        core.state.pointee.isLoading = true
        open(Self.loader)
        receive(encodedRequest(["GCS.LOAD", "FINISH"]), from: Self.loader)
        close(Self.loader)
        let replies = takeOutput().map { String(decoding: $0.bytes, as: UTF8.self) }
        precondition(replies == ["+OK\r\n"], "the log is refused: \(replies)")
    }

    /// After each turn and before its replies are sent: what it changed is on the disk.
    private mutating func keepLog() {
        guard log != nil else { return }
        if log?.isBeingRewritten == false, random.happens(1) { log?.rewrite() }
        log?.keep(&core.state.pointee.store, budget: random.count(1...20))
    }

    mutating func open(_ link: Int) {
        var refusal = ""
        let session = core.open(
            peer: "10.0.0.1:\(link + 1)", local: "10.0.0.1:6379", isLocal: false, isLoopback: true,
            refusal: &refusal)
        guard let session else { preconditionFailure("link \(link) is refused: \(refusal)") }
        sessions[link] = session
        transport.links[session] = link
    }

    mutating func close(_ link: Int) {
        guard let session = sessions.removeValue(forKey: link) else { return }
        transport.links[session] = nil
        core.state.pointee.closeSession(session)
    }

    /// A turn of the loop without input: what is due by time.
    mutating func turn(at now: Int64) {
        core.begin(at: now * 1000)
        while core.finish(&transport) {}
        keepLog()
    }

    /// A turn with input from one link.
    mutating func receive(_ bytes: [UInt8], from link: Int) {
        guard let session = sessions[link] else { return }
        var rest = bytes[...]
        while !rest.isEmpty {
            var room = core.input(for: session)
            if room.count == 0 {
                while core.finish(&transport) {}
                room = core.input(for: session)
            }
            let count = min(room.count, rest.count)
            precondition(count > 0, "link \(link) is not read any more")
            _ = room.update(fromContentsOf: rest.prefix(count))
            rest = rest.dropFirst(count)
            core.received(count, from: session)
        }
        while core.finish(&transport) {}
        keepLog()
    }

    /// What was sent since the last call, in order.
    mutating func takeOutput() -> [(link: Int, bytes: [UInt8])] {
        defer { transport.sent = [] }
        return transport.sent
    }

    /// Links that the server wants to be closed since the last call.
    mutating func takeClosed() -> [Int] {
        defer { transport.closed = [] }
        return transport.closed
    }

    /// Deletions that some registered node has not acknowledged.
    var logCount: Int { core.state.pointee.store.log.count }

    /// The status of every living batch but the root.
    var batches: [BatchID: BatchStatus] {
        var found: [BatchID: BatchStatus] = [:]
        for status in [BatchStatus.active, .done, .deferred] {
            _ = core.state.pointee.store.scanBatches(from: 0, budget: 1 << 30, status: status) {
                if $0 != .root { found[$0] = status }
            }
        }
        return found
    }

    /// References that the processes of a node hold.
    func referenceCount(ofNode name: String) -> Int {
        var count = 0
        _ = core.state.pointee.store.scanReferences(from: 0, budget: 1 << 40) {
            if $0.node.elementsEqual(name.utf8) { count += 1 }
        }
        return count
    }

    /// A planted bug: forgets what an active batch of a circle needs.
    mutating func collectCircle(of batch: BatchID) {
        let state = core.state
        guard let needs = try? state.pointee.store.dependencies(batch) else { return }
        let isCircle = needs.dependsOn.contains { needs.dependents.contains($0) }
        if isCircle { _ = try? state.pointee.store.deleteBatch(batch) }
    }

    /// The nodes that are said to have an object; `nil` without a record.
    mutating func locations(of id: RecordID) -> [String]? {
        core.state.pointee.store.object(id).map { object in
            object.locations.map { String(decoding: $0.node, as: UTF8.self) }.sorted()
        }
    }
}

/// Takes every byte at once, and notes whose it is.
private struct LinkTransport: Transport {
    var links: [SessionPointer: Int] = [:]
    var sent: [(link: Int, bytes: [UInt8])] = []
    var closed: [Int] = []

    mutating func send(
        _ session: SessionPointer, _ chunk: UnsafeBufferPointer<UInt8>,
        _ queue: UnsafeBufferPointer<UInt8>
    ) -> Int {
        if let link = links[session] { sent.append((link, Array(chunk) + Array(queue))) }
        return chunk.count + queue.count
    }

    mutating func awaitRoom(_ session: SessionPointer, _ isWaiting: Bool) {}

    mutating func close(_ session: SessionPointer) {
        if let link = links[session] { closed.append(link) }
    }
}
