internal import Identifiers
internal import RESP

/// What the server is yet to be told about single objects.
struct Reports {
    enum Report: Equatable {
        case add(RecordID)
        case remove(RecordID)
        /// Whether the server has a record, before it is told anything.
        case check(RecordID)
    }

    private var waiting = Queue<Report>()
    /// Reports sent and not answered.
    var underWayCount = 0
    /// When the server first refused a report that is to be said again; and how many it refused.
    var refusedSince: Int64?
    var refusedCount = 0

    /// Whether the server knows everything.
    var isEmpty: Bool { waiting.isEmpty && underWayCount == 0 && refusedCount == 0 }

    mutating func append(_ report: Report) { waiting.append(report) }

    /// Something was refused that is to be said again in a while.
    mutating func noteRefusal(_ now: Int64) {
        if refusedCount == 0 { refusedSince = now }
        refusedCount += 1
    }

    mutating func popFirst() -> Report? { waiting.popFirst() }
}

extension NodeManager {
    /// Queues the report of an object that is to stay.
    mutating func report(_ id: RecordID) {
        guard let object = mirror[id], !object.isReported, !object.isQueued, !object.isDying else {
            return
        }
        mirror.update(id) { $0.isQueued = true }
        reports.append(.add(id))
    }

    /// Queues the reports of all objects that are to stay.
    mutating func reportAll() {
        var ids: [RecordID] = []
        mirror.updateAll { id, object in
            guard !object.isReported, !object.isQueued, !object.isDying else { return }
            object.isQueued = true
            ids.append(id)
        }
        for id in ids { reports.append(.add(id)) }
        if !ids.isEmpty { say(.notice, "reporting \(ids.count) objects") }
    }

    mutating func pumpReports() {
        guard server.phase == .steady || server.phase == .comparing else { return }
        while reports.underWayCount < configuration.reportWindowCount,
            let report = reports.popFirst()
        {
            send(report)
        }
    }

    private mutating func send(_ report: Reports.Report) {
        let node = configuration.nodeID
        switch report {
        case .add(let id):
            // Gone or dying since: nobody wants to hear of it.
            guard let object = mirror[id], object.isQueued, !object.isDying else { return }
            mirror.update(id) {
                $0.isQueued = false
                $0.isReported = true
            }
            send(.add(id), ["GCS.OBJECT", "ADD", "\(id)", node, "\(object.byteCount)"])
        case .remove(let id): send(.remove(id), ["GCS.OBJECT", "REMOVE", "\(id)", node])
        case .check(let id): send(.check(id), ["EXISTS", "OBJECT:\(id)"])
        }
        reports.underWayCount += 1
    }

    mutating func addAnswered(_ id: RecordID, _ reply: ControlReply) {
        reports.underWayCount -= 1
        switch reply {
        case .integer:
            mirror.update(id) { $0.isKnownToServer = true }
        case .error(code: "BATCHENDED", _):
            guard let object = mirror[id], !object.isDying else { return }
            delete(id)
            forgetSpilled(id)
            lateCount += 1
        default:
            refused(id, reply)
        }
    }

    /// In doubt the object stays, and is reported again in a while.
    private mutating func refused(_ id: RecordID, _ reply: ControlReply) {
        if reports.refusedCount == 0 {
            reports.refusedSince = now
            let line = reply.errorLine ?? "\(reply)"
            say(.warning, "server refused object \(id), perhaps others too: \(line)")
        }
        reports.refusedCount += 1
        mirror.update(id) { $0.isReported = false }
    }

    mutating func reportRefusedAgain() {
        guard server.phase == .steady, let since = reports.refusedSince,
            now - since >= configuration.refusalPeriod.milliseconds
        else { return }
        reports.refusedSince = nil
        reports.refusedCount = 0
        reportAll()
        reportSpilled(spilling.table.ids)
    }
}
