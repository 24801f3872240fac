internal import CLibevent

/// Calls `body` while a descriptor is readable or writable; unregisters itself when released.
///
/// The descriptor is not owned. For connections that matter by the microsecond see `Transport`.
public final class Watch {
    /// What to wait for: until the descriptor is ready, or until it becomes ready once more.
    ///
    /// Of one descriptor, `readableAgain` may not be active together with the others.
    public enum Interest: Sendable { case readable, writable, readableAgain }

    private var event: OpaquePointer?
    private let body: () -> Void
    /// Whether the loop is waiting for the descriptor now.
    @exclusivity(unchecked) public private(set) var isActive = false

    /// Registers at once, unless `isActive` is false.
    public init(
        _ loop: Loop, _ descriptor: Int32, _ interest: Interest, isActive: Bool = true,
        body: @escaping () -> Void
    ) {
        self.body = body
        let mask =
            switch interest {
            case .readable: EV_READ | EV_PERSIST
            case .writable: EV_WRITE | EV_PERSIST
            case .readableAgain: EV_READ | EV_PERSIST | EV_ET
            }
        let context = Unmanaged.passUnretained(self).toOpaque()
        event = event_new(loop.base, descriptor, Int16(mask), watchFired, context)
        setActive(isActive)
    }

    deinit { event_free(event) }

    /// Starts or stops waiting.
    public func setActive(_ active: Bool) {
        guard active != isActive else { return }
        isActive = active
        if active { event_add(event, nil) } else { event_del(event) }
    }

    fileprivate func fire() { body() }
}

private func watchFired(_: Int32, _: Int16, context: UnsafeMutableRawPointer?) {
    guard let context else { preconditionFailure("a watch without its owner") }
    // The body may drop the last reference to the watch.
    Unmanaged<Watch>.fromOpaque(context).retain().takeRetainedValue().fire()
}
