internal import Glibc

/// The system's clocks: `unix` counts from 1970 and is set by people, `monotonic` never jumps, `thread` runs
/// while the calling thread does.
public enum SystemClock {
    /// Milliseconds since 1970.
    public static var unixMilliseconds: Int64 { unixMicroseconds / 1000 }

    /// Microseconds since 1970.
    public static var unixMicroseconds: Int64 {
        let time = time(of: CLOCK_REALTIME)
        return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
    }

    /// Milliseconds of the clock that never jumps.
    public static var monotonicMilliseconds: Int64 { Int64(monotonicNanoseconds / 1_000_000) }

    /// Microseconds of the clock that never jumps.
    public static var monotonicMicroseconds: Int64 { Int64(monotonicNanoseconds / 1000) }

    /// Nanoseconds of the clock that never jumps.
    public static var monotonicNanoseconds: UInt64 { nanoseconds(of: CLOCK_MONOTONIC) }

    /// Nanoseconds of processor time that the calling thread has had; reading it is a system call.
    public static var threadNanoseconds: UInt64 { nanoseconds(of: CLOCK_THREAD_CPUTIME_ID) }

    /// The local time, as `21 Nov 2026 10:32:55.123`.
    public static var localTime: String {
        var time = time(of: CLOCK_REALTIME)
        var parts = tm()
        localtime_r(&time.tv_sec, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            strftime(start, 64, "%d %b %Y %H:%M:%S", &parts)
            let milliseconds = String(1000 + time.tv_nsec / 1_000_000).dropFirst()
            return "\(String(cString: start)).\(milliseconds)"
        }
    }

    private static func nanoseconds(of clock: clockid_t) -> UInt64 {
        let time = time(of: clock)
        return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
    }

    private static func time(of clock: clockid_t) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
    }
}
