internal import CSystem
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
                subscription.socket.descriptor, queued.baseAddress, count, flags)
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
            end(subscription.socket, because: reason)
            return
        }
        if isSent, subscription.isReporting { program.service.resume(session) }
        watch(subscription.socket, isSending: !subscription.queue.isEmpty)
    }

    /// Waits for the end of a socket that the client passed, from its arrival on.
    func watch(_ socket: PassedSocket, isSending: Bool = false) {
        guard socket.descriptor >= 0 else { return }
        if socket.context == nil {
            socket.context = PassedSocketWatches(
                program.loop, socket.descriptor,
                onReadable: { [unowned self, unowned socket] in checkEnd(socket) },
                onWritable: { [unowned self] in
                    program.updateTime()
                    flush(program)
                })
        }
        (socket.context as? PassedSocketWatches)?.setSending(isSending)
    }

    /// The socket has something to read: its end, or what should not be there.
    ///
    /// Bytes may carry descriptors, this very connection's other end among them: left unread, they
    /// would keep it open after the client has gone.
    private func checkEnd(_ socket: PassedSocket) {
        var byte: UInt8 = 0
        var passedCount: Int32 = 0
        let count = gcs_receive_descriptors(
            socket.descriptor, &byte, 1, Int32(MSG_DONTWAIT), program.passed, &passedCount)
        for index in 0..<Int(passedCount) { ForeignDescriptors.close(program.passed[index]) }
        if count < 0, isTransient(errno) { return }
        if count == 0, isHalfOpen(socket.descriptor) {
            (socket.context as? PassedSocketWatches)?.isHalfOpen = true
            return
        }
        end(socket, because: count > 0 ? "the client sent bytes to it" : "the client has closed it")
    }

    private func end(_ socket: PassedSocket, because reason: String) {
        program.logClient("subscription of process \(session.processID) ended: \(reason)")
        program.service.end(socket, of: session)
    }
}

/// What the loop waits for on a socket for notifications.
private final class PassedSocketWatches {
    private let readable: Watch
    /// For a socket that stays readable, as its other side writes no more.
    private let readableAgain: Watch
    private let writable: Watch

    init(
        _ loop: Loop, _ descriptor: Int32, onReadable: @escaping () -> Void,
        onWritable: @escaping () -> Void
    ) {
        readable = Watch(loop, descriptor, .readable, body: onReadable)
        readableAgain = Watch(
            loop, descriptor, .readableAgain, isActive: false, body: onReadable)
        writable = Watch(loop, descriptor, .writable, isActive: false, body: onWritable)
    }

    deinit {
        // Inside its own call a watch outlives this, and the descriptor.
        for watch in [readable, readableAgain, writable] { watch.setActive(false) }
    }

    /// Whether the other side only said that it writes no more; its end is still to come.
    var isHalfOpen = false {
        didSet { setSending(writable.isActive) }
    }

    func setSending(_ isSending: Bool) {
        readable.setActive(!isHalfOpen)
        if isSending { readableAgain.setActive(false) }
        writable.setActive(isSending)
        // One that waits for room hears of the end as well.
        if isHalfOpen, !isSending { readableAgain.setActive(true) }
    }
}

/// Why a passed descriptor cannot be for notifications; `nil` when it can.
///
/// What is in the queue of any other kind of socket cannot all be seen: a line of clients, a message
/// of no bytes. A client's end of a connection to this store, held there or here, would keep that
/// connection open for ever.
func reasonToRefuse(_ descriptor: Int32, from connection: Int32) -> String? {
    guard let domain = socketOption(SO_DOMAIN, of: descriptor) else { return "it is not a socket" }
    let isStream = socketOption(SO_TYPE, of: descriptor) == Int32(SOCK_STREAM.rawValue)
    guard domain == AF_UNIX, isStream else {
        return "it is not a local stream socket"
    }
    guard let peer = address(descriptor, getpeername) else { return "it is not connected" }
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
