internal import ControlClient
internal import EventLoop

/// One listener's subscription; lives on the client's thread.
final class ListenerLink {
    private let subscription: ControlSubscription
    private let notices: AsyncThrowingStream<DeletionNotice, any Error>.Continuation
    /// Who waits for the subscription; `nil` once it was there.
    private var started: CheckedContinuation<String?, Never>?

    init(_ loop: Loop, _ plan: ClientThread.Plan, _ listener: Listener) {
        notices = listener.notices
        started = listener.started
        subscription = ControlSubscription(
            loop, to: plan.address, credentials: plan.credentials, patterns: ["GC:*"],
            connectTimeout: plan.limits.connectTimeout)
        let limit = plan.limits.unreadNoticeCountMax
        subscription.onUp = { [weak self] in self?.wentUp() }
        subscription.onDown = { [weak self] reason in
            self?.failStart("no subscription at \(plan.address): \(reason)")
        }
        subscription.onMessage = { [weak self] _, payload in
            guard let notice = DeletionNotice(message: payload) else { return }
            self?.deliver(notice, limit)
        }
    }

    func start() { subscription.start() }

    func stop() {
        subscription.stop()
        failStart("the client is closed")
    }

    /// Ends the listener's sequence.
    func finish(_ error: GCSError?) {
        stop()
        notices.finish(throwing: error)
    }

    private func wentUp() {
        guard let started else {
            notices.yield(.gap)
            return
        }
        self.started = nil
        started.resume(returning: nil)
    }

    private func failStart(_ reason: String) {
        guard let started else { return }
        self.started = nil
        started.resume(returning: reason)
    }

    private func deliver(_ notice: DeletionNotice, _ limit: Int) {
        guard case .dropped = notices.yield(notice) else { return }
        // The end has its listener removed, a turn later.
        notices.finish(throwing: GCSError.connection("\(limit) notices unread, the limit"))
    }
}
