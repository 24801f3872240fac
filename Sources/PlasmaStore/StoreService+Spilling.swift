internal import PlasmaProtocol

/// The node manager as the store knows it, and the creates that wait for it to make room.
struct Spilling {
    /// The client that asked last what the store needs.
    weak var manager: Session?
    /// When it was last there, in monotonic milliseconds.
    var seenAt: Int64 = 0
    /// When primary copies are ordinary again, after the node manager has left.
    var guardEnd = Int64.max
    /// How long a create waits after the last room that was made.
    var graceMilliseconds: Int64 = 0
    /// Creates that wait, the first first.
    var held: [Session] = []
    /// Bytes that they want.
    var heldByteCount = 0
    /// Creates that have waited so far.
    var heldOrder: Int64 = 0
    /// When the node manager last made room.
    var roomAt: Int64 = 0
    /// The count of removals when waiting creates were last tried.
    var triedAt: UInt64 = 0
    /// Whether the node manager's request waits for news; what it waits for.
    var request: NeedsRequest?
}

extension StoreService {
    /// A create waits this many times the grace time at most, however much room is made for others.
    private static let graceCountMax: Int64 = 10

    /// Lets a create wait for room; `false` when nobody makes any, or when it waited long enough.
    func hold(_ session: Session, byteCount: Int) -> Bool {
        let now = time.monotonicMilliseconds
        let grace = spilling.graceMilliseconds
        guard store.guardsPrimaries, byteCount <= store.capacity,
            spilling.manager != nil || now - spilling.seenAt < grace
        else { return false }
        if session.heldByteCount == 0 {
            session.heldByteCount = max(1, byteCount)
            session.heldSince = now
            spilling.heldByteCount += session.heldByteCount
            spilling.heldOrder += 1
            spilling.held.append(session)
        }
        let end = min(
            max(session.heldSince, spilling.roomAt) + grace,
            session.heldSince + Self.graceCountMax * grace)
        guard now < end else { return false }
        session.deadline = end
        // An operation that creates several objects asks again in its next turn.
        return true
    }

    /// A create waits no longer.
    func endHold(_ session: Session) {
        guard session.heldByteCount > 0 else { return }
        spilling.heldByteCount -= session.heldByteCount
        spilling.held.removeAll { $0 === session }
        session.heldByteCount = 0
        session.deadline = nil
    }

    /// A client is gone.
    func leaveSpilling(_ session: Session) {
        endHold(session)
        guard spilling.manager === session else { return }
        spilling.manager = nil
        spilling.request = nil
        spilling.seenAt = time.monotonicMilliseconds
        spilling.guardEnd = spilling.seenAt + limits.guardSecondsMax * 1000
        store.needs = AwaitedObjects()
    }

    /// No node manager came back: nobody writes primary copies out any more, so they may go.
    func endGuard() {
        spilling.guardEnd = .max
        guard store.guardsPrimaries else { return }
        say("no node manager for \(limits.guardSecondsMax) s: primary copies may be evicted again")
        store.guardsPrimaries = false
        for session in spilling.held where session.isWaiting {
            session.isWaiting = false
            resume(session)
        }
    }

    /// Lets creates try again after room was made, and the node manager hear of news.
    func wakeSpilling() {
        guard store.guardsPrimaries else { return }
        if !spilling.held.isEmpty, spilling.triedAt != store.removalCount {
            spilling.triedAt = store.removalCount
            for session in spilling.held where session.isWaiting {
                session.isWaiting = false
                resume(session)
            }
        }
        guard let manager = spilling.manager, manager.isWaiting, let request = spilling.request,
            isNews(for: request)
        else { return }
        manager.isWaiting = false
        resume(manager)
    }

    /// Whether the node manager has something to do that it was not told of.
    func isNews(for request: NeedsRequest) -> Bool {
        !store.needs.ids.isEmpty || store.needs.isOverfull
            || (spilling.heldOrder > request.heldOrder && !spilling.held.isEmpty)
            || Int64(store.usedByteCount - store.secondaryByteCount) >= request.primaryByteCountMax
    }
}
