/// How long to wait before the next attempt: doubling from 50 ms to 2 s.
public struct BackOff: Sendable {
    private static let shortest = Duration.milliseconds(50)
    private static let longest = Duration.seconds(2)
    private var delay = Self.shortest

    /// A back-off whose first delay is the shortest.
    public init() {}

    /// The delay before the next attempt; the one after it is twice as long.
    public mutating func next() -> Duration {
        defer { delay = min(delay * 2, Self.longest) }
        return delay
    }

    /// Starts over, after a success.
    public mutating func reset() { delay = Self.shortest }
}
