internal import CLibevent
internal import CSystem
internal import Glibc

/// The thread's event loop: libevent driven one turn at a time.
///
/// libevent 2.1 has no hook before it sleeps, so the loop is ours: after each turn `afterTurn` runs
/// (flushing what the turn produced, a slice of maintenance) and says whether more work waits.
public final class Loop {
    let base: OpaquePointer
    private var isStopping = false

    /// Nanoseconds for which the thread asks at a time, so that it need not wait for a long turn of a
    /// thread that computes.
    private static let turnOnProcessor: UInt64 = 500_000

    /// A loop for the calling thread; SIGPIPE is ignored in the whole process from now on.
    public init() {
        let configuration = event_config_new()
        event_config_set_flag(configuration, Int32(EVENT_BASE_FLAG_NOLOCK.rawValue))
        guard let base = event_base_new_with_config(configuration) else {
            preconditionFailure("libevent found no way to wait for events")
        }
        event_config_free(configuration)
        self.base = base
        gcs_schedule_thread(0, Self.turnOnProcessor)
        signal(SIGPIPE, SIG_IGN)
    }

    deinit { event_base_free(base) }

    /// The `event_base` for C libraries that attach themselves (hiredis).
    public var eventBase: OpaquePointer { base }

    /// Turns until `stop()`; may be called again afterwards.
    ///
    /// - Parameter afterTurn: called after every turn; `true` means that work is left and the next
    ///   turn must not sleep.
    public func run(afterTurn: () -> Bool = { false }) {
        defer { isStopping = false }
        var isWorkLeft = afterTurn()
        while !isStopping {
            let flags = isWorkLeft ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE
            event_base_loop(base, flags)
            isWorkLeft = afterTurn()
        }
    }

    /// Ends `run` after the present turn.
    public func stop() {
        isStopping = true
        event_base_loopbreak(base)
    }
}
