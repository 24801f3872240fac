internal import EventLoop

/// The clock that the demo measures with.
enum Clock {
    /// Nanoseconds; never jumps.
    static var now: UInt64 { Loop.monotonicNanoseconds }
}
