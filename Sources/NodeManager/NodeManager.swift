internal import Identifiers
internal import RESP

/// The agent between one object store and the server, without sockets and clocks.
///
/// It mirrors the store through its notifications, reports what is there to the server, and deletes
/// what the server's log says. The rules that keep both promises (nothing too early, nothing
/// forgotten):
/// - What happened is read from the log only; messages just say that there is something to read.
/// - The log is read while the store is fully mirrored, so that an entry meets every object it is about.
/// - An entry is acknowledged once the store answered for all objects it is about. When the store's
///   connection breaks before, the entry is read again.
/// - An object that the log cannot decide about (put late, put again, put while nobody looked) is
///   reported, and the server's answer decides: BATCHENDED deletes it.
public struct NodeManager {
    let configuration: Configuration
    var now: Int64 = 0
    var outputs: [Output] = []

    var store = StoreSide()
    var mirror = Mirror()
    var deletions = DeletionQueue()
    /// Ids that the store promised to delete later when its connection broke; and when.
    var doomed: [RecordID: Int64] = [:]

    var server = ServerSide()
    var requests = Requests()
    var reports = Reports()
    var log = LogPosition()
    var pins = PinMirror()
    var arePinsRefused = false
    /// How the store uses its memory: fields of the next heartbeat.
    var usage: [String] = []
    var isUsageAsked = false
    /// What to do about a log that no longer reaches back; `nil` when it does.
    var comparison: Comparison?
    var spilling: Spilling
    /// Objects deleted since the last tick because they were put after their batch had ended.
    var lateCount = 0

    /// An agent that has heard of neither side.
    public init(_ configuration: Configuration) {
        self.configuration = configuration
        spilling = Spilling(workerCount: configuration.spilling?.workerCount ?? 0)
    }

    /// Takes in what happened.
    ///
    /// - Parameter now: milliseconds since 1970 by this machine's clock.
    /// - Returns: what to do, in order.
    public mutating func handle(_ input: Input, at now: Int64) -> [Output] {
        self.now = now
        switch input {
        case .storeConnected: storeConnected()
        case .storeLost: storeLost()
        case .storeChanged(let rows): storeChanged(rows)
        case .storeListed(let objects): storeListed(objects)
        case .storeDeleted(let outcomes): storeDeleted(outcomes)
        case .storeDrained: storeDrained()
        case .storePins(let report): pinsTold(report)
        case .storeUsage(let fields): usageTold(fields)
        case .serverConnected: greet()
        case .serverLost: serverLost()
        case .reply(let number, let reply): replied(number, reply)
        case .subscribed, .message: readLog()
        case .spilling(let event): spillHappened(event)
        case .tick: tick()
        }
        pump()
        defer { outputs = [] }
        return outputs
    }

    /// Objects and bytes that the store holds.
    public var holding: (objectCount: Int, byteCount: Int64) { (mirror.count, mirror.byteCount) }

    /// Whether everything known is reported, deleted and acknowledged.
    public var isIdle: Bool {
        store.phase == .synced && server.phase == .steady && deletions.isEmpty
            && reports.isEmpty && pins.isEmpty && requests.isEmpty
    }

    /// Sends what may be sent now.
    private mutating func pump() {
        pumpDeletions()
        pumpReports()
        pumpPins()
        pumpSpilling()
        acknowledge()
    }

    /// A net under the subscription; clocks drift apart, too.
    private mutating func poll() {
        log.readAt = now
        send(.time, ["TIME"])
        readLog()
    }

    mutating func say(_ level: Level, _ text: String) { outputs.append(.say(level, text)) }

    private mutating func tick() {
        if lateCount > 0 {
            say(.notice, "deleting \(lateCount) objects whose batch had ended before they came")
            lateCount = 0
        }
        giveUpReplayAfterSilence()
        reportRefusedAgain()
        askForPins()
        retryRestoring()
        switch server.phase {
        case .lost, .greeting: break
        case .refused(let since):
            if now - since >= 1000 { greet() }
        case .comparing, .catchingUp, .steady, .waitingForStore:
            heartbeat()
            if now - log.readAt >= configuration.logPeriod.milliseconds { poll() }
        }
    }
}
