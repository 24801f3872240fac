internal import ControlClient
internal import EventLoop
internal import Identifiers
internal import NodeManager
internal import PlasmaClient
internal import PlasmaProtocol
internal import Platform
internal import RESP
internal import Settings
internal import SpillFiles

/// The node manager's rules on real connections: carries what happens in, and what is to be done out.
final class Node {
    private static let tickPeriod = Duration.milliseconds(200)

    private let log: EventLog
    private let control: ControlConnection
    private let subscription: ControlSubscription
    private let store: StoreConnection
    private var manager: NodeManager
    private let spiller: Spiller?
    private var ticker: Timer?
    /// The last reason for being without each side, so that a repeated one is not logged again.
    private var serverReason: String?
    private var storeReason: String?

    init(_ loop: Loop, _ plan: NodePlan, _ log: EventLog, _ session: SpillSession?) {
        self.log = log
        spiller = session.map { Spiller(loop, $0, plan) }
        control = ControlConnection(loop, to: plan.server, credentials: plan.credentials)
        subscription = ControlSubscription(
            loop, to: plan.server, credentials: plan.credentials,
            channels: [plan.channel], patterns: ["GC:*"])
        store = StoreConnection(loop, path: plan.storePath)
        manager = NodeManager(plan.configuration)
        ticker = Timer(loop) { [weak self] in self?.tick() }
        connectServer("\(plan.server)")
        connectStore(plan.storePath)
        spiller?.onEvent = { [weak self] in self?.take(.spilling($0)) }
        spiller?.onComplaint = { [weak self] in self?.log.write(.warning, $0) }
    }

    func start() {
        store.start()
        subscription.start()
        control.start()
        ticker?.schedule(after: Self.tickPeriod)
    }

    func stop() {
        ticker?.cancel()
        spiller?.stop()
        control.stop()
        subscription.stop()
        store.stop()
    }

    private func connectServer(_ name: String) {
        control.onUp = { [weak self] in
            self?.serverReason = nil
            self?.log.write(.notice, "connected to the server at \(name)")
            self?.take(.serverConnected)
        }
        control.onDown = { [weak self] reason in
            guard let self else { return }
            if serverReason != reason { log.write(.warning, "no server at \(name): \(reason)") }
            serverReason = reason
            take(.serverLost)
        }
        subscription.onUp = { [weak self] in
            self?.log.write(.verbose, "subscribed to GC:*")
            self?.take(.subscribed)
        }
        subscription.onDown = { [weak self] reason in
            self?.log.write(.verbose, "subscription lost: \(reason)")
        }
        subscription.onMessage = { [weak self] channel, payload in
            // Of the two kinds of channels only those of deletions begin so.
            if channel.starts(with: "GC:".utf8) { return self?.take(.message) ?? () }
            self?.takeRequest(payload)
        }
    }

    private func connectStore(_ path: String) {
        store.onUp = { [weak self] in
            self?.storeReason = nil
            self?.log.write(.notice, "connected to the store at \(path)")
            guard let self else { return }
            take(.storeConnected)
            // Arrow's store says how much it holds at most, and no more.
            take(.storeUsage(["capacity", "\(store.capacity)"]))
            noteWhoseStore(path)
        }
        store.onDown = { [weak self] reason in
            guard let self else { return }
            let text = "\(reason)"
            if storeReason != text { log.write(.warning, "no store at \(path): \(text)") }
            storeReason = text
            take(.storeLost)
        }
        store.onChanges = { [weak self] rows in
            self?.take(
                .storeChanged(
                    rows.filter { !$0.isMove }.map { row in
                        row.isDeletion
                            ? .gone(row.id) : .sealed(row.id, byteCount: row.byteCount)
                    }))
        }
    }

    private func noteWhoseStore(_ path: String) {
        guard spiller != nil else { return }
        if store.extensionVersion != nil { return take(.spilling(.storeIsOurs)) }
        log.write(
            .warning, "the store at \(path) is not ours: no spilling and no restoring with it")
    }

    /// `restore` and ids, from whoever wants objects in memory.
    private func takeRequest(_ payload: [UInt8]) {
        let words = String(decoding: payload, as: UTF8.self).split(separator: " ")
        let ids = words.dropFirst().compactMap { RecordID(hex: String($0)) }
        guard words.first == "restore", ids.count == words.count - 1 else {
            return log.write(.warning, "a message on this node's channel is no request")
        }
        take(.spilling(.wanted(ids)))
    }

    private func tick() {
        take(.tick)
        ticker?.schedule(after: Self.tickPeriod)
    }

    private func take(_ input: NodeManager.Input) {
        for output in manager.handle(input, at: SystemClock.unixMilliseconds) { perform(output) }
    }

    private func perform(_ output: NodeManager.Output) {
        switch output {
        case .send(let number, let words):
            control.send(words) { [weak self] reply in
                // Without a reply the connection has ended, which is heard of separately.
                if let reply { self?.take(.reply(number, reply)) }
            }
        case .delete(let ids):
            store.delete(ids) { [weak self] errors in
                self?.take(.storeDeleted(errors.map(Self.outcome)))
            }
        case .list:
            store.list { [weak self] rows in
                // Unsealed objects are told of when they are sealed.
                let sealed = rows.filter { $0.digest != nil }
                self?.take(
                    .storeListed(
                        sealed.map {
                            NodeManager.ListedObject(
                                id: $0.id, createdSeconds: $0.createdSeconds)
                        }))
            }
        case .drain: store.drain { [weak self] in self?.take(.storeDrained) }
        case .askPins(let sequence): askPins(from: sequence)
        case .askUsage: askUsage()
        case .spilling(.askNeeds(let request)):
            store.askNeeds(request) { [weak self] in self?.take(.spilling(.needs($0))) }
        case .spilling(let request): spiller?.perform(request)
        case .say(let level, let text): log.write(Self.logLevel(level), text)
        }
    }

    private func askPins(from sequence: Int64) {
        guard store.extensionVersion != nil else { return }
        let request = PinsRequest(sequence: sequence)
        store.ask({ request.write(to: &$0) }, reply: .pinsReply) {
            [weak self] body throws(WireError) in
            let reply = try PinsReply(body)
            let pins = reply.rows.map {
                NodeManager.Pin(id: $0.id, byteCount: $0.byteCount, processes: $0.processes)
            }
            self?.take(
                .storePins(
                    NodeManager.PinReport(
                        sequence: reply.sequence, isAnew: reply.isAnew, hasMore: reply.hasMore,
                        pins: pins)))
        }
    }

    private func askUsage() {
        guard store.extensionVersion != nil else { return }
        store.ask({ EmptyMessage.write(.usageRequest, to: &$0) }, reply: .usageReply) {
            [weak self] body throws(WireError) in
            self?.take(.storeUsage(Self.fields(try StoreUsage(body))))
        }
    }

    /// As the server knows them.
    private static func fields(_ usage: StoreUsage) -> [String] {
        [
            "capacity", "\(usage.capacity)", "used-bytes", "\(usage.usedByteCount)",
            "pinned-objects", "\(usage.pinnedCount)", "pinned-bytes", "\(usage.pinnedByteCount)",
            "consumed-bytes", "\(usage.consumedByteCount)",
            "primary-bytes", "\(usage.usedByteCount - usage.secondaryByteCount)",
            "secondary-bytes", "\(usage.secondaryByteCount)",
            "evicted-objects", "\(usage.evictedCount)",
            "evicted-bytes", "\(usage.evictedByteCount)",
            "fallback-bytes", "\(usage.fallbackByteCount)",
            "lru-age-ms", "\(usage.idleMilliseconds)", "mapped-bytes", "\(usage.takenByteCount)",
        ]
    }

    private static func outcome(_ error: StoreError?) -> NodeManager.DeletionOutcome {
        switch error {
        case nil: .removed
        case .objectNotFound: .absent
        case .objectInUse, .objectNotSealed, .objectExists, .outOfMemory: .later
        }
    }

    private static func logLevel(_ level: NodeManager.Level) -> LogLevel {
        switch level {
        case .verbose: .verbose
        case .notice: .notice
        case .warning: .warning
        }
    }
}
