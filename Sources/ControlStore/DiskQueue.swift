/// Requests to the disk, held back until the log is durable up to the changes that led to them.
///
/// So the disk never is ahead of the log: after a crash, what the log tells is what the disk was, or what it
/// is told to become.
public struct DiskQueue: Sendable {
    private var held: [(position: UInt64, request: DiskRequest)] = []

    /// An empty queue.
    public init() {}

    /// Whether requests wait for the log.
    public var isWaiting: Bool { !held.isEmpty }

    /// Takes requests in.
    ///
    /// - Parameter position: behind all changes so far in the log; `nil` when there is none.
    /// - Returns: those that wait for nothing, to be carried out now.
    public mutating func add(_ requests: [DiskRequest], behind position: UInt64?) -> [DiskRequest] {
        guard let position else { return takeAll() + requests }
        var free: [DiskRequest] = []
        for request in requests {
            switch request {
            // No record is written before the log tells of this.
            case .read(_, _, isOrdered: false), .begin: free.append(request)
            case .put, .delete, .drop, .clear, .rename: held.append((position, request))
            // These change nothing, but come after what does.
            case .read, .scan, .list, .keep:
                if let last = held.last {
                    held.append((last.position, request))
                } else {
                    free.append(request)
                }
            }
        }
        return free
    }

    /// Those whose changes are durable, to be carried out now.
    ///
    /// - Parameter position: how far the log is durable.
    public mutating func take(upTo position: UInt64) -> [DiskRequest] {
        let count = held.prefix { $0.position <= position }.count
        guard count > 0 else { return [] }
        defer { held.removeFirst(count) }
        return held.prefix(count).map(\.request)
    }

    private mutating func takeAll() -> [DiskRequest] {
        defer { held = [] }
        return held.map(\.request)
    }
}
