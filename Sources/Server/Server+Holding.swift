internal import Commands

/// Replies that wait until the changes before them are on the disk (`appendfsync always`).
///
/// While a sync is under way its replies wait for it, and all later ones for the next.
public struct Holding {
    /// The position that the sync under way must reach; `nil` when nothing waits.
    var awaited: UInt64?
    /// The position that the next one must reach.
    var later: UInt64 = 0

    init() {}
}

extension Server {
    /// Holds what the turn produced back until the log is on the disk up to a position.
    ///
    /// Call it between `work()` and `send(_:)`.
    ///
    /// - Parameter isOnlyBehind: holds only what follows replies that are held already.
    public mutating func hold(until position: UInt64, isOnlyBehind: Bool = false) {
        guard !isOnlyBehind || !state.pointee.held.isEmpty else { return }
        if holding.awaited == nil { holding.awaited = position }
        holding.later = position
        let isNext = holding.awaited != position
        for session in state.pointee.dirty
        where !isOnlyBehind || session.pointee.held.byteCount > 0 {
            unchunk(session)
            let old = session.pointee.sendableByteCount + session.pointee.held.byteCount
            let new = session.pointee.queue.count - old
            guard new > 0 else { continue }
            if session.pointee.held.byteCount == 0 { state.pointee.held.append(session) }
            session.pointee.held.byteCount += new
            if isNext { session.pointee.held.laterByteCount += new }
        }
    }

    /// Lets go of what waited for the log to be on the disk up to a position; `send(_:)` sends it.
    public mutating func release(upTo position: UInt64) {
        while let awaited = holding.awaited, awaited <= position {
            for session in state.pointee.held {
                let released = session.pointee.held.byteCount - session.pointee.held.laterByteCount
                session.pointee.sendableByteCount += released
                session.pointee.held = (session.pointee.held.laterByteCount, 0)
                state.pointee.touch(session)
            }
            state.pointee.held.removeAll { $0.pointee.held.byteCount == 0 }
            holding.awaited = holding.later > awaited ? holding.later : nil
        }
    }
}
