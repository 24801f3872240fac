internal import CLibevent
internal import Glibc

/// Calls `body` once after each `schedule(after:)`; unregisters itself when released.
public final class Timer {
    private var event: OpaquePointer?
    private let body: () -> Void

    /// A timer that is not due yet.
    public init(_ loop: Loop, body: @escaping () -> Void) {
        self.body = body
        let context = Unmanaged.passUnretained(self).toOpaque()
        event = event_new(loop.base, -1, 0, timerFired, context)
    }

    deinit { event_free(event) }

    /// Whether a call is due.
    public var isScheduled: Bool { event_pending(event, Int16(EV_TIMEOUT), nil) != 0 }

    /// Sets the one call that is due, in place of an earlier one.
    public func schedule(after delay: Duration) {
        let (seconds, attoseconds) = delay.components
        var time = timeval(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
        event_add(event, &time)
    }

    /// Forgets the call that is due.
    public func cancel() { event_del(event) }

    fileprivate func fire() { body() }
}

private func timerFired(_: Int32, _: Int16, context: UnsafeMutableRawPointer?) {
    guard let context else { preconditionFailure("a timer without its owner") }
    Unmanaged<Timer>.fromOpaque(context).retain().takeRetainedValue().fire()
}
