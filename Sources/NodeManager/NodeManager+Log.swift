internal import Identifiers
internal import RESP

/// Where this node stands in the deletion log.
struct LogPosition {
    /// The last entry acted on.
    var read = LogID.zero
    /// The last entry that the store has answered for, and all before it.
    var done = LogID.zero
    /// The last entry that the server knows to be done.
    var acknowledged = LogID.zero
    var isReading = false
    /// Whether something was said to be new while a page was on its way.
    var isReadAgainWanted = false
    var isAcknowledging = false
    /// When a page was last asked for.
    var readAt: Int64 = 0

    /// Goes on with a server that said what it remembers as acknowledged.
    mutating func resume(at position: LogID) {
        acknowledged = max(acknowledged, position)
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
        send(
            .readLog,
            ["XRANGE", "gc:log", "(\(log.read)", "+", "COUNT", "\(configuration.logPageCount)"])
    }

    mutating func logRead(_ reply: ControlReply) {
        log.isReading = false
        // The store may have gone while the page was on its way: it is read again then.
        guard store.phase == .synced, server.phase == .catchingUp || server.phase == .steady else {
            return
        }
        guard let entries = reply.elements else {
            return say(.warning, "cannot read the log: \(reply.errorLine ?? "\(reply)")")
        }
        for entry in entries { act(on: entry) }
        if entries.count >= configuration.logPageCount || log.isReadAgainWanted {
            readLog()
        } else if server.phase == .catchingUp {
            server.phase = .steady
            reportAll()
        }
    }

    private mutating func act(on reply: ControlReply) {
        guard let entry = LogEntry(reply) else {
            return say(.warning, "the log has an entry of no known shape: \(reply)")
        }
        // A page may have been asked for twice; each entry is acted on once, in order.
        guard entry.id > log.read else { return }
        log.read = entry.id
        let loggedAt = Int64(clamping: entry.id.milliseconds) - server.clockOffset
        switch entry.deletion {
        case .batch(let batch, let reason, let kept, let adopted):
            var victims = mirror.objects(of: batch).keys.filter { !kept.contains($0) }
            victims += adopted
            let count = delete(victims, loggedAt: loggedAt)
            say(
                .notice,
                "batch \(batch) ended (\(reason)): deleting \(count) objects, log \(entry.id), "
                    + "\(now - loggedAt) ms ago")
        case .objects(let ids):
            let count = delete(ids, loggedAt: loggedAt)
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
    private mutating func delete(_ ids: [RecordID], loggedAt: Int64) -> Int {
        let delayMax = configuration.notificationDelayMax.milliseconds
        var count = 0
        for id in ids {
            guard let object = mirror[id], !object.isDying else { continue }
            let newest = object.isCreationListed ? loggedAt : loggedAt + delayMax
            guard object.createdAt <= newest else { continue }
            delete(id)
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
