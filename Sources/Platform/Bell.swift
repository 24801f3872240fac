internal import CSystem
internal import Glibc

/// Wakes a loop or a thread: its descriptor is readable from a ring until it is quieted.
public struct Bell: ~Copyable, Sendable {
    /// For a loop to watch.
    public let descriptor: Int32

    /// A quiet bell; `nil` when the system has no descriptor left, with the reason in `errno`.
    public init?() {
        let descriptor = gcs_eventfd()
        guard descriptor >= 0 else { return nil }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// Wakes whoever waits, or waits next.
    public func ring() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }

    /// Takes note of all rings so far.
    public func quiet() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
    }

    /// Waits for a ring, and quiets the bell.
    ///
    /// - Parameter milliseconds: how long at most, counted from the last signal that the process got
    ///   meanwhile; less than 0 for as long as it takes.
    /// - Returns: whether it rang.
    @discardableResult
    public func wait(milliseconds: Int32 = -1) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        var count: Int32
        repeat { count = poll(&request, 1, milliseconds) } while count < 0 && errno == EINTR
        guard count > 0 else { return false }
        quiet()
        return true
    }
}
