/// What a flush policy may look at.
public struct FlushSituation: Equatable, Sendable {
    /// Bytes of memory that records take.
    public var heldByteCount: Int
    /// Milliseconds since 1970.
    public var now: Int64
    /// Milliseconds since 1970 when a period of the policy last began; 0: none did.
    public var periodStartedAt: Int64
    /// Records flushed since then.
    public var flushedCount: Int

    /// A situation.
    public init(
        heldByteCount: Int, now: Int64, periodStartedAt: Int64 = 0, flushedCount: Int = 0
    ) {
        self.heldByteCount = heldByteCount
        self.now = now
        self.periodStartedAt = periodStartedAt
        self.flushedCount = flushedCount
    }
}

/// What is to be flushed now, oldest first; the largest of the three counts.
public struct FlushDemand: Equatable, Sendable {
    /// Bytes of memory to be got back.
    public var byteCount = 0
    /// Records.
    public var recordCount = 0
    /// All records written this many milliseconds ago or earlier; `nil`: whatever their age.
    public var age: Int64?
    /// Whether a period begins.
    public var beginsPeriod = false

    /// Nothing.
    public init() {}

    /// Whether anything is asked for.
    public var isEmpty: Bool { byteCount <= 0 && recordCount <= 0 && age == nil }
}

/// Says what to flush, and when; a value without a clock of its own.
public protocol FlushPolicy: Sendable {
    /// What is to be flushed now.
    func demand(_ situation: FlushSituation) -> FlushDemand
    /// Bytes of records above which writes wait for the disk; `nil`: they never do.
    var ceilingByteCount: Int? { get }
}

/// Holds a window of memory: nothing below it; above it so many records each period, and whatever
/// exceeds it by more than a sixteenth at once.
///
/// - Source of the defaults: Ray's "Redis Memory Management" (July 2018): 10 s, 2 GiB, 10,000 entries.
public struct SimpleFlushPolicy: FlushPolicy {
    /// `flush-when-at-least-bytes`.
    public var windowByteCount: Int
    /// `flush-period-secs`, in milliseconds.
    public var periodMilliseconds: Int64
    /// `flush-num-entries-each-time`.
    public var recordCountPerPeriod: Int

    /// A policy.
    public init(windowByteCount: Int, periodMilliseconds: Int64, recordCountPerPeriod: Int) {
        self.windowByteCount = windowByteCount
        self.periodMilliseconds = periodMilliseconds
        self.recordCountPerPeriod = recordCountPerPeriod
    }

    /// An eighth above the window.
    public var ceilingByteCount: Int? { windowByteCount + windowByteCount / 8 }

    /// What is to be flushed now.
    public func demand(_ situation: FlushSituation) -> FlushDemand {
        var demand = FlushDemand()
        guard situation.heldByteCount >= windowByteCount else { return demand }
        demand.beginsPeriod = situation.now - situation.periodStartedAt >= periodMilliseconds
        let flushed = demand.beginsPeriod ? 0 : situation.flushedCount
        demand.recordCount = max(recordCountPerPeriod - flushed, 0)
        // Between periods a little above is left to the next one.
        let slack = windowByteCount / 16
        let excess = situation.heldByteCount - windowByteCount
        if excess > slack { demand.byteCount = excess - slack / 2 }
        return demand
    }
}

/// Flushes what was not written for a time, however much memory there is.
public struct AgeFlushPolicy: FlushPolicy {
    /// `flush-older-than-secs`, in milliseconds.
    public var ageMilliseconds: Int64
    /// `flush-period-secs`, in milliseconds.
    public var periodMilliseconds: Int64

    /// A policy.
    public init(ageMilliseconds: Int64, periodMilliseconds: Int64) {
        self.ageMilliseconds = ageMilliseconds
        self.periodMilliseconds = periodMilliseconds
    }

    /// None: memory is what is written in `flush-older-than-secs`.
    public var ceilingByteCount: Int? { nil }

    /// What is to be flushed now.
    public func demand(_ situation: FlushSituation) -> FlushDemand {
        var demand = FlushDemand()
        demand.beginsPeriod = situation.now - situation.periodStartedAt >= periodMilliseconds
        demand.age = ageMilliseconds
        return demand
    }
}
