internal import Glibc
internal import Platform
internal import Synchronization

private let wasRequested = Atomic<Bool>(false)

/// A wish to stop: Ctrl-C, or SIGTERM or SIGHUP from elsewhere.
///
/// The signals only set a flag: whoever started processes looks at it often, and stops them.
enum Interruption {
    /// Catches the signals from now on.
    static func catchSignals() {
        // The flag must exist before a signal comes.
        wasRequested.store(false, ordering: .relaxed)
        for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, signalReceived) }
    }

    /// Throws once a signal came.
    static func check() throws(Failure) {
        guard wasRequested.load(ordering: .relaxed) else { return }
        throw Failure("interrupted", exitCode: 130)
    }

    /// Sleeps, in short stretches, until a moment of the clock that never jumps.
    static func sleep(untilNanoseconds end: UInt64) throws(Failure) {
        while true {
            try check()
            let now = SystemClock.monotonicNanoseconds
            guard now < end else { return }
            usleep(UInt32(min((end - now) / 1000 + 1, 50_000)))
        }
    }

    /// Sleeps, in short stretches.
    static func sleep(milliseconds: UInt64) throws(Failure) {
        try sleep(untilNanoseconds: SystemClock.monotonicNanoseconds + milliseconds * 1_000_000)
    }
}

private func signalReceived(_: Int32) { wasRequested.store(true, ordering: .relaxed) }
