internal import ControlStore
internal import Identifiers
internal import RESP
internal import Settings

extension Call {
    /// Leaves the reply to slices between turns, or to a later event; the first slice runs now.
    func wait(for work: Pending.Work) {
        let pending = Pending(work, version: session.pointee.version)
        session.pointee.pending = pending
        if state.pointee.advance(session, pending) { return session.pointee.pending = nil }
        state.pointee.putAside(session)
    }
}

extension ServerState {
    /// Elements that one slice of a walk looks at.
    static var sliceCount: Int { 1000 }

    /// Does a slice of what a connection waits for; the reply's head when all is found, then its pieces as
    /// the connection takes them.
    ///
    /// - Returns: whether it is answered.
    mutating func advance(_ session: SessionPointer, _ pending: Pending) -> Bool {
        if !pending.isFound {
            guard find(pending) else { return false }
            pending.isFound = true
        }
        let start = output.count
        while pending.hasPieces {
            let unsent = session.pointee.queue.count + output.count - start
            guard unsent < Pending.queueByteCountMax else { return false }
            let piece = pending.takePiece()
            output.raw(piece.writer.base, piece.writer.count)
        }
        return true
    }

    /// Looks at some elements; writes the reply's head after the last.
    private mutating func find(_ pending: Pending) -> Bool {
        switch pending.work {
        case .keys(let glob):
            guard findKeys(pending, glob) else { return false }
            output.array(pending.count)
        case .members(let batch):
            guard findMembers(pending, batch) else { return false }
            output.set(pending.count)
        case .range(let from, let to, let isReverse, let left):
            guard readRange(pending, from, to, isReverse, left) else { return false }
            output.array(pending.count)
        case .job(let job, let count):
            guard job.isDone else { return false }
            if let failure = job.failure {
                writeDiskError(failure)
            } else {
                output.integer(job.result + count)
            }
        case .done(let job, let count):
            guard job.isDone else { return false }
            output.integer(count)
        case .read(_, _, let deadline):
            guard deadline > 0, deadline <= now else { return false }
            output.nullArray()
        case .save:
            guard !persistence.save.isUnderWay else { return false }
            if persistence.save.isLastOK {
                output.ok()
            } else {
                output.error("ERR the snapshot could not be written; the server's log says why")
            }
        case .request, .page, .flush: return false
        }
        return true
    }

    /// Reads a slice of XRANGE; whether it is the last.
    private func readRange(
        _ pending: Pending, _ from: LogID, _ to: LogID, _ isReverse: Bool, _ left: Int
    ) -> Bool {
        let slice = min(left, Self.sliceCount)
        let low = store.log.position(of: from)
        let high = to == .max ? store.log.count : store.log.position(of: to.next)
        guard low < high else { return true }
        let positions = isReverse ? max(low, high - slice)..<high : low..<min(high, low + slice)
        var last = from
        for position in isReverse ? Array(positions.reversed()) : Array(positions) {
            let entry = store.log[position]
            pending.add { $0.entry(entry) }
            last = entry.id
        }
        if isReverse {
            guard last > .zero, positions.lowerBound > low else { return true }
            let before = store.log[positions.lowerBound - 1].id
            pending.work = .range(
                from: from, to: before, isReverse: true, left: left - positions.count)
        } else {
            guard positions.upperBound < high else { return true }
            pending.work = .range(
                from: last.next, to: to, isReverse: false, left: left - positions.count)
        }
        return left == positions.count
    }

    /// Writes the reply of XREAD, if the log has entries after `id`.
    mutating func writeRead(after id: LogID, count: Int) -> Bool {
        let first = store.log.position(of: id.next)
        guard first < store.log.count else { return false }
        let last = min(store.log.count, first + count)
        if output.version >= 3 {
            output.map(1)
        } else {
            output.array(1)
            output.array(2)
        }
        output.bulk("gc:log")
        output.array(last - first)
        for position in first..<last { output.entry(store.log[position]) }
        return true
    }

    /// Answers those who wait for the log's next entry.
    mutating func wakeLogReaders() {
        guard !waiting.isEmpty else { return }
        for session in waiting {
            guard case .read(let after, let count, _)? = session.pointee.pending?.work else {
                continue
            }
            answer(session) { state in state.writeRead(after: after, count: count) }
        }
    }

    /// Does a slice for everyone who waits.
    ///
    /// - Returns: whether some walk goes on; readers of the log wait for events.
    public mutating func advanceWaiting() -> Bool {
        guard !waiting.isEmpty else { return false }
        var isWalking = false
        for session in waiting {
            guard let pending = session.pointee.pending else { continue }
            answer(session) { state in state.advance(session, pending) }
            guard session.pointee.pending != nil, !pending.isFound else { continue }
            guard pending.ticket == 0 else { continue }
            switch pending.work {
            case .read, .save, .request, .page, .flush: continue
            case .job(let job, _) where job.isWaiting: continue
            default: isWalking = true
            }
        }
        return isWalking
    }

    /// Writes a late reply, or a part of it, into the connection's own queue.
    ///
    /// - Parameter write: writes to `output`, and tells whether the reply is whole.
    mutating func answer(
        _ session: SessionPointer, _ write: (inout ServerState) -> Bool
    ) {
        let start = output.count
        let version = output.version
        output.version = session.pointee.version
        let isWhole = write(&self)
        output.version = version
        if isWhole { session.pointee.pending = nil }
        guard output.count > start else { return }
        send(session, output.base + start, output.count - start)
        output.truncate(to: start)
    }

    /// Whether a connection has room for more of its reply.
    public var canHandOver: Bool {
        waiting.contains { session in
            guard let pending = session.pointee.pending, pending.isFound else { return false }
            return session.pointee.queue.count < Pending.queueByteCountMax
        }
    }

    /// Forgets connections that wait no longer; returns those whose held input can go on.
    public mutating func takeAnswered() -> [SessionPointer] {
        guard !waiting.isEmpty else { return [] }
        let answered = waiting.filter { $0.pointee.pending == nil }
        guard !answered.isEmpty else { return [] }
        waiting.removeAll { $0.pointee.pending == nil }
        for session in answered { session.pointee.isWaiting = false }
        return answered
    }

    /// When the next reader of the log gives up, in milliseconds since 1970.
    public var nextReadDeadline: Int64? {
        waiting.compactMap { session in
            guard case .read(_, _, let deadline)? = session.pointee.pending?.work, deadline > 0
            else {
                return nil
            }
            return deadline
        }.min()
    }
}
