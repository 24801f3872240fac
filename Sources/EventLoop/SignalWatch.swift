internal import CLibevent

/// Calls `body` on the loop's thread when the process receives a signal.
public final class SignalWatch {
    private var event: OpaquePointer?
    private let body: () -> Void

    /// Catches signal `number` from now on, in place of its default action.
    public init(_ loop: Loop, _ number: Int32, body: @escaping () -> Void) {
        self.body = body
        let context = Unmanaged.passUnretained(self).toOpaque()
        event = event_new(loop.base, number, Int16(EV_SIGNAL | EV_PERSIST), signalFired, context)
        event_add(event, nil)
    }

    deinit { event_free(event) }

    fileprivate func fire() { body() }
}

private func signalFired(_: Int32, _: Int16, context: UnsafeMutableRawPointer?) {
    guard let context else { preconditionFailure("a signal watch without its owner") }
    Unmanaged<SignalWatch>.fromOpaque(context).retain().takeRetainedValue().fire()
}
