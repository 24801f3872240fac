internal import Identifiers
internal import RESP

/// Where this node stands in the deletion log.
struct LogPosition {
    /// Some entries, and whether there may be more.
    struct Page {
        var entries: [LogEntry]
        var isFull: Bool
    }

    /// The last entry acted on.
    var read = LogID.zero
    /// The last entry that the store has answered for, and all before it.
    var done = LogID.zero
    /// The last entry that the server knows to be done.
    var acknowledged = LogID.zero
    var isReading = false
    /// A page that is acted on when the notifications have been taken in.
    var page: Page?
    /// Whether something was said to be new while a page was on its way.
    var isReadAgainWanted = false
    var isAcknowledging = false
    /// When a page was last asked for.
    var readAt: Int64 = 0

    /// Goes on with a server that said what it remembers as acknowledged.
    mutating func resume(at position: LogID) {
        // Less than it was told, when the node was removed meanwhile: then it is told again.
        acknowledged = position
        done = max(done, position)
        read = max(read, done)
    }

    /// Leaves out what is not there to be read.
    mutating func skip(to position: LogID) {
        done = max(done, position)
        read = max(read, done)
    }

    /// Starts with a server that knows nothing else of this node.
    mutating func restart(at position: LogID) {
        read = position
        done = position
        acknowledged = position
    }
}

extension NodeManager {
    /// The store has answered for everything up to the position.
    mutating func pass(_ position: LogID) {
        log.done = max(log.done, position)
        if let comparison, comparison.isAsked, log.done >= comparison.lastTrimmed {
            self.comparison = nil
        }
    }

    mutating func catchUp() {
        server.phase = .catchingUp
        readLog()
    }

    /// Asks for the next page, unless one is on its way or the mirror is not complete.
    mutating func readLog() {
        guard store.phase == .synced, server.phase == .catchingUp || server.phase == .steady else {
            return
        }
        guard !log.isReading else {
            log.isReadAgainWanted = true
            return
        }
        log.isReading = true
        log.isReadAgainWanted = false
        log.readAt = now
        send(.logInfo, ["XINFO", "STREAM", "gc:log"])
        send(
            .readLog,
            ["XRANGE", "gc:log", "(\(log.read)", "+", "COUNT", "\(configuration.logPageCount)"])
    }

    /// Entries that were not read are gone: registering anew finds out what to do about them.
    mutating func checkTrimmed() {
        guard server.greeting.lastTrimmed > log.read else { return }
        say(.warning, "the log was trimmed beyond \(log.read)")
        greet()
    }

    mutating func logRead(_ reply: ControlReply) {
        guard let replies = reply.elements else {
            log.isReading = false
            return say(.warning, "cannot read the log: \(reply.errorLine ?? "\(reply)")")
        }
        let page = LogPosition.Page(
            entries: replies.compactMap { LogEntry($0) },
            isFull: replies.count >= configuration.logPageCount)
        if page.entries.count < replies.count {
            say(.warning, "the log has entries of no known shape")
        }
        // An object that was put just before it was deleted by its id may not be mirrored yet, and
        // nothing later would tell that it has to go. (One of a batch that ended is reported, and
        // answered BATCHENDED.)
        if page.entries.contains(where: namesUnknownObject) {
            log.page = page
            outputs.append(.drain)
        } else {
            act(on: page)
        }
    }

    mutating func actOnWaitingPage() {
        guard let page = log.page else { return }
        log.page = nil
        act(on: page)
    }

    private func namesUnknownObject(_ entry: LogEntry) -> Bool {
        switch entry.deletion {
        case .batch(_, _, _, let ids), .objects(let ids):
            ids.contains { mirror[$0] == nil && spilling.table[$0] == nil }
        case .unknown: false
        }
    }

    private mutating func act(on page: LogPosition.Page) {
        log.isReading = false
        for entry in page.entries where entry.id > log.read { act(on: entry) }
        if page.isFull || log.isReadAgainWanted {
            readLog()
        } else if server.phase == .catchingUp {
            server.phase = .steady
            reportAll()
            reportSpilled(spilling.table.ids)
        }
    }

    private mutating func act(on entry: LogEntry) {
        log.read = entry.id
        let loggedAt = Int64(clamping: entry.id.milliseconds) - server.clockOffset
        switch entry.deletion {
        case .batch(let batch, let reason, let kept, let adopted):
            let members = mirror.objects(of: batch).keys.filter { !kept.contains($0) }
            let spilled = spilling.table.objects(of: batch).keys.filter { !kept.contains($0) }
            let count =
                deleteSpilled(spilled + adopted, loggedAt: loggedAt)
                + delete(members, loggedAt: loggedAt, areSingled: false)
                + delete(adopted, loggedAt: loggedAt, areSingled: true)
            say(
                .notice,
                "batch \(batch) ended (\(reason)): deleting \(count) objects, log \(entry.id), "
                    + "\(max(0, now - loggedAt)) ms ago")
        case .objects(let ids):
            let count =
                deleteSpilled(ids, loggedAt: loggedAt)
                + delete(ids, loggedAt: loggedAt, areSingled: true)
            say(.notice, "objects freed: deleting \(count) of \(ids.count), log \(entry.id)")
        case .unknown:
            say(.warning, "log entry \(entry.id) is of no known kind, skipped")
        }
        deletions.append(position: entry.id)
    }

    /// Deletes those that are there and not newer; an object put again since is another one.
    ///
    /// An id is put again only after its object went by itself (evicted, or the store died). The
    /// list's times are whole seconds, cut off: one of the same second counts as older.
    private mutating func delete(
        _ ids: [RecordID], loggedAt: Int64, areSingled: Bool
    ) -> Int {
        let delayMax = configuration.notificationDelayMax.milliseconds
        var count = 0
        for id in ids {
            guard let object = mirror[id], !object.isDying else { continue }
            let newest = object.isCreationListed ? loggedAt : loggedAt + delayMax
            guard object.createdAt <= newest else { continue }
            delete(id, isSingled: areSingled)
            count += 1
        }
        return count
    }

    /// Tells the server how far the store has followed; one acknowledgement at a time.
    mutating func acknowledge() {
        guard !log.isAcknowledging, log.done > log.acknowledged else { return }
        guard server.phase == .catchingUp || server.phase == .steady else { return }
        log.isAcknowledging = true
        send(
            .acknowledge(log.done), ["GCS.NODE", "ACK", configuration.nodeID, "\(log.done)"])
    }

    mutating func acknowledged(_ position: LogID, _ reply: ControlReply) {
        log.isAcknowledging = false
        // Also after an error: the next position, or the next registration, says it again.
        log.acknowledged = max(log.acknowledged, position)
        if let line = reply.errorLine {
            say(.warning, "server refused the acknowledgement of \(position): \(line)")
        }
    }
}
