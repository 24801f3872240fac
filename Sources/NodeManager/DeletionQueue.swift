internal import Identifiers

/// Deletions on their way to the store: one chunk at a time, in order, with the log's positions in
/// between, so that a position is passed only when the store has answered for all before it.
struct DeletionQueue {
    private enum Item {
        case object(RecordID)
        case position(LogID)
    }

    private var items = Queue<Item>()
    private var positionInFlight: LogID?
    /// The ids that the store was asked to delete and has not answered for; empty when none.
    private(set) var inFlight: [RecordID] = []

    /// Whether nothing waits and nothing is under way.
    var isEmpty: Bool { items.isEmpty && inFlight.isEmpty }

    mutating func append(_ id: RecordID) { items.append(.object(id)) }

    /// Everything of the log up to `position` is in the queue.
    mutating func append(position: LogID) { items.append(.position(position)) }

    /// Takes the next chunk, unless one is under way.
    ///
    /// - Parameters:
    ///   - limit: ids of a chunk.
    ///   - isDue: whether an id is still to be deleted; others are left out.
    /// - Returns: the ids to delete (none when nothing waits), and a position that is passed
    ///   already because no id waits before it.
    mutating func next(
        upTo limit: Int, where isDue: (RecordID) -> Bool
    ) -> (ids: [RecordID], passed: LogID?) {
        guard inFlight.isEmpty else { return ([], nil) }
        var passed: LogID?
        while inFlight.count < limit, let item = items.popFirst() {
            switch item {
            case .object(let id):
                if isDue(id) { inFlight.append(id) }
            case .position(let position):
                if inFlight.isEmpty { passed = position } else { positionInFlight = position }
            }
        }
        // Positions right behind the chunk's last id are passed with it.
        while case .position(let position) = items.first {
            if inFlight.isEmpty { passed = position } else { positionInFlight = position }
            _ = items.popFirst()
        }
        return (inFlight, passed)
    }

    /// The store answered for the chunk under way.
    ///
    /// - Returns: its ids, and the last position that is passed with it.
    mutating func answered() -> (ids: [RecordID], passed: LogID?) {
        defer {
            inFlight = []
            positionInFlight = nil
        }
        return (inFlight, positionInFlight)
    }

    /// Forgets the positions, for a server whose log is another.
    mutating func forgetPositions() {
        positionInFlight = nil
        items.filter { if case .position = $0 { false } else { true } }
    }
}
