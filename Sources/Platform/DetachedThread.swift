internal import Glibc

/// Threads that nobody waits for: they end when their work does.
public enum DetachedThread {
    fileprivate final class Work: Sendable {
        let body: @Sendable () -> Void

        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Calls `body` once on a thread of its own, which takes no signals: those are for the loop, and a file
    /// above its limit is an error like others.
    ///
    /// What `body` captures lives until it returns.
    ///
    /// - Parameter processors: where it runs; `nil` for where the calling thread may.
    /// - Returns: 0, or why there is no thread, as an `errno`; `body` is not called then.
    public static func start(
        on processors: ProcessorSet? = nil, _ body: @escaping @Sendable () -> Void
    ) -> Int32 {
        var thread = pthread_t()
        let work = Work {
            processors?.apply()
            body()
        }
        let context = Unmanaged.passRetained(work)
        let code = pthread_create(&thread, nil, threadStarted, context.toOpaque())
        guard code == 0 else {
            context.release()
            return code
        }
        pthread_detach(thread)
        return 0
    }
}

private func threadStarted(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { preconditionFailure("a thread without its work") }
    var all = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_BLOCK, &all, nil)
    Unmanaged<DetachedThread.Work>.fromOpaque(context).takeRetainedValue().body()
    return nil
}
