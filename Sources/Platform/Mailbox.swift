internal import Synchronization

/// Where values cross from any thread to one loop or thread, in order; what bounds it is for its owner.
public final class Mailbox<Value: Sendable>: Sendable {
    private struct State {
        var values: [Value] = []
        var isClosed = false
    }

    private let bell: Bell
    private let state = Mutex(State())

    /// An empty box; `nil` when the system has no descriptor left, with the reason in `errno`.
    public init?() {
        guard let bell = Bell() else { return nil }
        self.bell = bell
    }

    /// Readable while something is in the box.
    public var descriptor: Int32 { bell.descriptor }

    /// Whether the box was closed.
    public var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Puts a value in.
    public func post(_ value: Value) {
        let isFirst = state.withLock { state in
            state.values.append(value)
            return state.values.count == 1
        }
        if isFirst { bell.ring() }
    }

    /// Has the thread that waits end, after what is in the box.
    public func close() {
        state.withLock { $0.isClosed = true }
        bell.ring()
    }

    /// Everything in the box.
    public func takeAll() -> [Value] {
        // Before the values are taken: what is posted after that rings again.
        bell.quiet()
        return take()
    }

    /// Waits for values; `nil` when the box is closed and empty.
    public func waitForAll() -> [Value]? {
        var values = takeAll()
        while values.isEmpty {
            if isClosed { return nil }
            bell.wait()
            values = take()
        }
        return values
    }

    private func take() -> [Value] {
        state.withLock { state in
            defer { state.values = [] }
            return state.values
        }
    }
}
