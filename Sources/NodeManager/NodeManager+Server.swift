internal import Identifiers
internal import RESP

/// How far this connection to the server got.
struct ServerSide {
    enum Phase: Equatable {
        case lost
        /// Registration is under way.
        case greeting
        /// The server refused the registration then; tried again after a second.
        case refused(since: Int64)
        /// Registered; the store is away or not mirrored yet.
        case waitingForStore
        /// Asking which of the older objects the server still knows.
        case comparing
        /// Reading what was missed.
        case catchingUp
        /// Reporting and deleting as things happen.
        case steady
    }

    var phase = Phase.lost
    var greeting = Greeting()
    /// The server's run that knows what was reported; `nil` before the first registration.
    var runID: String?
    /// Milliseconds that the server's clock is ahead of this machine's.
    var clockOffset: Int64 = 0
    var heartbeatAt: Int64 = 0
    /// Everything created up to then has been reported; 0 before the first time.
    var reportedAt: Int64 = 0
    var isHeartbeatUnderWay = false
}

/// What the server says about itself and this node when the node registers.
struct Greeting {
    var runID: String?
    var milliseconds: Int64?
    /// When the server last heard of the node, by its clock; `nil` when it does not know it.
    var lastSeen: Int64?
    /// What an earlier heartbeat said of `reported-ms`; `nil` when there was none.
    var reportedAt: Int64?
    var acknowledged: LogID?
    /// The last entry that the log no longer holds; zero when it holds all it ever had.
    var lastTrimmed = LogID.zero
}

extension NodeManager {
    /// Says who we are, and finds out what the server knows of us.
    ///
    /// NODE INFO has to come before REGISTER, which counts as having been seen.
    mutating func greet() {
        server.phase = .greeting
        server.greeting = Greeting()
        server.isHeartbeatUnderWay = false
        server.heartbeatAt = 0
        log.isReading = false
        log.page = nil
        log.isAcknowledging = false
        // Answers to what was sent before say nothing that registering anew does not ask again.
        requests.removeAll()
        reports = Reports()
        pins.forgetReported()
        stopJudging()
        send(.serverInfo, ["INFO", "server"])
        send(.time, ["TIME"])
        send(.nodeInfo, ["GCS.NODE", "INFO", configuration.nodeID])
        var words = ["GCS.NODE", "REGISTER", configuration.nodeID]
        if !configuration.address.isEmpty { words += ["ADDRESS", configuration.address] }
        if !configuration.storePath.isEmpty { words += ["STORE", configuration.storePath] }
        send(.register, words)
        send(.logInfo, ["XINFO", "STREAM", "gc:log"])
    }

    mutating func serverLost() {
        guard server.phase != .lost else { return }
        say(.warning, "server lost")
        server.phase = .lost
        log.page = nil
        requests.removeAll()
        reports = Reports()
        stopJudging()
    }

    mutating func replied(_ number: Int, _ reply: ControlReply) {
        guard let request = requests.take(number) else { return }
        switch request {
        case .serverInfo: server.greeting.runID = Self.runID(reply)
        case .time: timeAnswered(reply)
        case .nodeInfo:
            server.greeting.lastSeen = reply[field: "last-seen-ms"]?.number
            server.greeting.reportedAt = reply[field: "reported-ms"]?.number
        case .register: registered(reply)
        case .logInfo:
            let text = reply[field: "max-deleted-entry-id"]?.text
            server.greeting.lastTrimmed = text.flatMap { LogID($0) } ?? .zero
            if server.phase == .greeting { greeted() } else { checkTrimmed() }
        case .heartbeat: heartbeatAnswered(reply)
        case .readLog: logRead(reply)
        case .acknowledge(let position): acknowledged(position, reply)
        case .add(let id): addAnswered(id, reply)
        case .remove: reports.underWayCount -= 1
        case .pin: pinAnswered(reply)
        case .check(let id): checkAnswered(id, reply)
        case .judge(let id, let worker): judged(id, worker, reply)
        case .spilled(let id, let url): spilledAnswered(id, url, reply)
        case .adopt(let id): adoptionAnswered(id, reply)
        case .aside: break
        }
    }

    private mutating func registered(_ reply: ControlReply) {
        server.greeting.acknowledged = reply.text.flatMap { LogID($0) }
        guard server.greeting.acknowledged == nil, server.phase == .greeting else { return }
        say(.warning, "server refused the registration: \(reply.errorLine ?? "\(reply)")")
        server.phase = .refused(since: now)
    }

    private mutating func greeted() {
        guard server.phase == .greeting, let acknowledged = server.greeting.acknowledged else {
            return
        }
        let greeting = server.greeting
        let hasMemory = greeting.lastSeen != nil
        let runID = greeting.runID ?? ""
        if hasMemory, runID == server.runID {
            log.resume(at: acknowledged)
        } else {
            if server.runID != nil { forgetServer() }
            log.restart(at: acknowledged)
        }
        // What an earlier process reported stays reported.
        if hasMemory { server.reportedAt = max(server.reportedAt, greeting.reportedAt ?? 0) }
        let mayCompare = hasMemory && (server.runID == nil || runID == server.runID)
        server.runID = runID
        if mayCompare {
            compareIfTrimmed(greeting)
        } else {
            // What the log no longer holds is about objects that this server never knew here.
            log.skip(to: greeting.lastTrimmed)
        }
        mirror.updateAll {
            $1.isReported = false
            $1.isQueued = false
        }
        say(
            .notice,
            "registered as \(configuration.nodeID) after log entry \(acknowledged)"
                + (hasMemory ? "" : ", new to this server"))
        server.phase = .waitingForStore
        heartbeat()
        startWhenBothAreThere()
    }

    /// The server has no memory of what was reported: its silence about an object means nothing.
    private mutating func forgetServer() {
        mirror.updateAll { $1.isKnownToServer = false }
        spilling.table.updateAll { $0.isReported = false }
        deletions.forgetPositions()
        comparison = nil
        server.reportedAt = 0
    }

    /// Goes on once the server knows the node and the mirror is complete.
    mutating func startWhenBothAreThere() {
        guard server.phase == .waitingForStore, store.phase == .synced else { return }
        if let comparison, !comparison.isAsked {
            startComparison()
        } else {
            catchUp()
        }
    }

    mutating func heartbeat() {
        guard now - server.heartbeatAt >= configuration.heartbeatPeriod.milliseconds,
            !server.isHeartbeatUnderWay
        else { return }
        if server.phase == .steady, reports.isEmpty { server.reportedAt = now }
        server.heartbeatAt = now
        server.isHeartbeatUnderWay = true
        send(
            .heartbeat,
            [
                "GCS.NODE", "HEARTBEAT", configuration.nodeID, "objects", "\(mirror.count)",
                "bytes", "\(mirror.byteCount)", "reported-ms", "\(server.reportedAt)",
            ] + usage + spillHeartbeat())
    }

    private mutating func heartbeatAnswered(_ reply: ControlReply) {
        server.isHeartbeatUnderWay = false
        guard let line = reply.errorLine, server.phase != .greeting else { return }
        say(.warning, "server refused the heartbeat: \(line); registering again")
        greet()
    }

    private static func runID(_ info: ControlReply) -> String? {
        let line = info.text?.split(whereSeparator: \.isNewline).first { $0.hasPrefix("run_id:") }
        return line.map { String($0.dropFirst("run_id:".count)) }
    }

    private mutating func timeAnswered(_ reply: ControlReply) {
        guard let milliseconds = Self.milliseconds(reply) else { return }
        server.greeting.milliseconds = milliseconds
        server.clockOffset = milliseconds - now
    }

    private static func milliseconds(_ time: ControlReply) -> Int64? {
        guard let parts = time.elements, parts.count == 2, let seconds = parts[0].number,
            let microseconds = parts[1].number
        else { return nil }
        return seconds * 1000 + microseconds / 1000
    }
}
