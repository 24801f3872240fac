internal import CSystem
internal import EventLoop
internal import Glibc
internal import Synchronization

/// Where values cross between the loop and a thread; bounded by what the node manager has under way.
final class SpillMailbox<Value: Sendable>: Sendable {
    private struct State {
        var values: [Value] = []
        var isClosed = false
    }

    /// Readable while something is in the box.
    let descriptor: Int32
    private let state = Mutex(State())

    init() {
        descriptor = gcs_eventfd()
        precondition(descriptor >= 0, "no descriptor left for a mailbox")
    }

    deinit { Glibc.close(descriptor) }

    func post(_ value: Value) {
        state.withLock { $0.values.append(value) }
        wake()
    }

    /// Has the thread that waits end, after what is in the box.
    func close() {
        state.withLock { $0.isClosed = true }
        wake()
    }

    /// Everything in the box, in order.
    func takeAll() -> [Value] {
        var count: UInt64 = 0
        _ = read(descriptor, &count, 8)
        return state.withLock { state in
            defer { state.values = [] }
            return state.values
        }
    }

    /// Waits for values; `nil` when the box is closed and empty.
    func waitForAll() -> [Value]? {
        while true {
            let values = takeAll()
            if !values.isEmpty { return values }
            if state.withLock({ $0.isClosed }) { return nil }
            var wanted = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            _ = poll(&wanted, 1, -1)
        }
    }

    private func wake() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, 8)
    }
}

/// A thread that calls `body` once; signals go to the loop's thread.
enum SpillThread {
    fileprivate final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    static func start(_ body: @escaping @Sendable () -> Void) -> pthread_t {
        var thread = pthread_t()
        let context = Unmanaged.passRetained(Work(body))
        let status = pthread_create(&thread, nil, spillThreadStarted, context.toOpaque())
        precondition(status == 0, "no thread left for spilling")
        return thread
    }
}

private func spillThreadStarted(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { preconditionFailure("a thread without its work") }
    var all = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, nil)
    Unmanaged<SpillThread.Work>.fromOpaque(context).takeRetainedValue().body()
    return nil
}
