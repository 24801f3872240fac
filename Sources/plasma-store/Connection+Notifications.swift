internal import EventLoop
internal import Glibc
internal import PlasmaProtocol
internal import PlasmaStore

extension Connection {
    /// Sends what the client's notification socket takes now.
    func sendNotifications() {
        guard let subscription = session.subscription else { return }
        var reason: String?
        var isSent = false
        let unsent = subscription.queue.count
        while !subscription.queue.isEmpty, !subscription.isBroken,
            unsent - subscription.queue.count < Self.sentByteCountMax,
            !isSent || program.hasTimeToSend
        {
            let queued = subscription.queue.bytes
            let count = subscription.sendableByteCount(limit: Self.notifiedByteCountOnce)
            let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)
            let sent = send(
                subscription.descriptor, queued.baseAddress, count, flags)
            guard sent > 0 else {
                if !isTransient(errno) { reason = String(cString: strerror(errno)) }
                break
            }
            subscription.consume(sent)
            isSent = true
        }
        if subscription.isBroken {
            let limit = program.service.limits.notificationByteCountMax
            reason = "more than \(limit) bytes of notifications wait to be read"
        }
        if let reason {
            endSubscription(because: reason)
            return
        }
        if subscription.queue.isEmpty { subscription.queue.reset(keeping: 64 << 10) }
        if isSent, subscription.isReporting { program.service.resume(session) }
        watch(subscription)
    }

    private func endSubscription(because reason: String) {
        program.logClient("subscription of process \(session.processID) ended: \(reason)")
        program.service.endSubscription(session)
    }

    private func watch(_ subscription: Subscription) {
        if subscription.context == nil {
            subscription.context = SubscriptionWatches(
                program.loop, subscription.descriptor,
                onReadable: { [unowned self] in checkEnd() },
                onWritable: { [unowned self] in
                    program.updateTime()
                    flush(program)
                })
        }
        (subscription.context as? SubscriptionWatches)?.writable
            .setActive(!subscription.queue.isEmpty)
    }

    /// The notification socket has something to read: its end, or what should not be there.
    ///
    /// Bytes may carry descriptors, this very connection's other end among them: left unread, they
    /// would keep it open after the client has gone.
    private func checkEnd() {
        guard let subscription = session.subscription else { return }
        var byte: UInt8 = 0
        let count = recv(subscription.descriptor, &byte, 1, Int32(MSG_DONTWAIT))
        if count < 0, isTransient(errno) { return }
        if count == 0, isHalfOpen(subscription.descriptor) {
            (subscription.context as? SubscriptionWatches)?.readable.setActive(false)
            return
        }
        endSubscription(
            because: count > 0 ? "the client sent bytes to it" : "the client has closed it")
    }
}

/// What the loop waits for on a notification socket.
private final class SubscriptionWatches {
    let readable: Watch
    let writable: Watch

    init(
        _ loop: Loop, _ descriptor: Int32, onReadable: @escaping () -> Void,
        onWritable: @escaping () -> Void
    ) {
        readable = Watch(loop, descriptor, .readable, body: onReadable)
        writable = Watch(loop, descriptor, .writable, isActive: false, body: onWritable)
    }
}

/// Why a passed descriptor cannot be for notifications; `nil` when it can.
///
/// A client's end of a connection to this store would, held here, keep that connection open for
/// ever.
func reasonToRefuse(_ descriptor: Int32, from connection: Int32) -> String? {
    guard let peer = address(descriptor, getpeername) else {
        return errno == ENOTSOCK ? "it is not a socket" : nil
    }
    guard let own = address(connection, getsockname), own == peer else { return nil }
    return "it is an end of a connection to this store"
}

/// What a call says of a socket's address, as bytes; `nil` when it fails, or there is no name.
private func address(
    _ descriptor: Int32,
    _ call: (Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
) -> [UInt8]? {
    var address = sockaddr_un()
    var byteCount = socklen_t(MemoryLayout<sockaddr_un>.size)
    let status = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            call(descriptor, $0, &byteCount)
        }
    }
    guard status == 0 else { return nil }
    return withUnsafeBytes(of: &address) { Array($0.prefix(Int(byteCount))) }
}

/// Whether the other side only said that it writes no more.
private func isHalfOpen(_ descriptor: Int32) -> Bool {
    var state = pollfd(fd: descriptor, events: 0, revents: 0)
    return poll(&state, 1, 0) == 0 || state.revents & Int16(POLLHUP | POLLERR) == 0
}
