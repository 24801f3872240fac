internal import CHiredis
internal import CLibevent
internal import EventLoop
internal import RESP

/// One connection to a server that comes back by itself; what commands and subscriptions share.
///
/// hiredis (0.14) frees its context after a failed connect and after a disconnect, calls no
/// disconnect callback for a context that never connected, and knows no connect time-out: so a
/// context is either forgotten when hiredis says that it ended, or silenced and freed in `discard`.
final class ControlLink {
    private enum Phase { case stopped, waiting, connecting, authenticating, up }

    private let loop: Loop
    private let address: ControlAddress
    private let credentials: ControlCredentials?
    private let connectTimeout: Duration
    private var phase = Phase.stopped
    private var context: UnsafeMutablePointer<redisAsyncContext>?
    private var backOff = BackOff()
    private var attemptTimer: Timer?

    /// Called when commands may be sent, after AUTH.
    var onUp: () -> Void = {}
    /// Called when the link was up, or an attempt failed, with the reason.
    var onDown: (_ reason: String) -> Void = { _ in }

    init(
        _ loop: Loop, _ address: ControlAddress, _ credentials: ControlCredentials?,
        connectTimeout: Duration
    ) {
        self.loop = loop
        self.address = address
        self.credentials = credentials
        self.connectTimeout = connectTimeout
        attemptTimer = Timer(loop) { [weak self] in self?.attemptTimerFired() }
    }

    deinit { discard() }

    var isUp: Bool { phase == .up }

    /// Connects, and again after every loss, until `stop()`.
    func start() {
        guard phase == .stopped else { return }
        connect()
    }

    /// Closes the connection; nothing is called any more but the completions of what was sent.
    func stop() {
        phase = .stopped
        attemptTimer?.cancel()
        discard()
    }

    /// Closes the connection and tries again after the back-off.
    func drop(_ reason: String) {
        guard phase != .stopped, phase != .waiting else { return }
        discard()
        lost(reason)
    }

    /// Sends one command; hiredis copies it.
    ///
    /// - Parameter callback: called at once with `nil` when there is no connection.
    func submit(_ words: [[UInt8]], _ callback: ReplyCallback) {
        guard let context, phase == .up || phase == .authenticating else {
            return callback.body(nil)
        }
        let privateData = Unmanaged.passRetained(callback)
        let status = withArgumentPointers(words) { arguments, lengths in
            redisAsyncCommandArgv(
                context, replyArrived, privateData.toOpaque(), Int32(words.count), arguments,
                lengths)
        }
        guard status != REDIS_OK else { return }
        privateData.release()
        callback.body(nil)
    }

    private func connect() {
        phase = .connecting
        guard let context = makeContext() else { return lost("out of memory") }
        guard context.pointee.err == REDIS_OK else {
            let reason = Self.errorText(context)
            redisAsyncFree(context)
            return lost(reason)
        }
        self.context = context
        context.pointee.data = Unmanaged.passUnretained(self).toOpaque()
        redisLibeventAttach(context, loop.eventBase)
        redisAsyncSetDisconnectCallback(context, linkDisconnected)
        // Last: it asks the event loop for writability, which must be attached by then.
        redisAsyncSetConnectCallback(context, linkConnected)
        attemptTimer?.schedule(after: connectTimeout)
    }

    private func makeContext() -> UnsafeMutablePointer<redisAsyncContext>? {
        switch address {
        case .tcp(let host, let port): redisAsyncConnect(host, Int32(port))
        case .unix(let path): redisAsyncConnectUnix(path)
        }
    }

    /// Not a place to free the context: hiredis goes on with it.
    fileprivate func connectSucceeded() {
        guard let context else { return }
        if case .tcp = address { redisEnableKeepAlive(&context.pointee.c) }
        guard let credentials else { return becameUp() }
        phase = .authenticating
        submit(
            credentials.words,
            ReplyCallback { [weak self] reply in
                guard let self, phase == .authenticating, let reply else { return }
                if let line = reply.errorLine { return drop("AUTH refused: \(line)") }
                becameUp()
            })
    }

    fileprivate func contextEnded(_ reason: String) {
        context = nil
        guard phase != .stopped else { return }
        lost(reason)
    }

    private func becameUp() {
        attemptTimer?.cancel()
        backOff.reset()
        phase = .up
        onUp()
    }

    private func lost(_ reason: String) {
        phase = .waiting
        attemptTimer?.schedule(after: backOff.next())
        onDown(reason)
    }

    private func attemptTimerFired() {
        switch phase {
        case .waiting: connect()
        case .connecting, .authenticating: drop("no connection within \(connectTimeout)")
        case .stopped, .up: break
        }
    }

    /// Frees the context without hearing from it again.
    private func discard() {
        guard let context else { return }
        self.context = nil
        context.pointee.data = nil
        redisAsyncFree(context)
    }

    fileprivate static func errorText(_ context: UnsafePointer<redisAsyncContext>) -> String {
        guard context.pointee.err != REDIS_OK, let text = context.pointee.errstr else {
            return "connection closed"
        }
        let words = String(cString: text)
        return words.prefix(1).lowercased() + words.dropFirst()
    }
}

/// What is called with the replies to one command; `nil` when the connection ended without one.
final class ReplyCallback {
    /// Whether it is called more than once: a subscription's, whose last call is with `nil`.
    let isLasting: Bool
    let body: (ControlReply?) -> Void

    init(isLasting: Bool = false, body: @escaping (ControlReply?) -> Void) {
        self.isLasting = isLasting
        self.body = body
    }
}

private func owner(_ context: UnsafePointer<redisAsyncContext>) -> ControlLink? {
    guard let data = context.pointee.data else { return nil }
    return Unmanaged<ControlLink>.fromOpaque(data).takeUnretainedValue()
}

private func linkConnected(_ context: UnsafePointer<redisAsyncContext>?, _ status: Int32) {
    guard let context, let link = owner(context) else { return }
    if status == REDIS_OK {
        link.connectSucceeded()
    } else {
        link.contextEnded(ControlLink.errorText(context))
    }
}

private func linkDisconnected(_ context: UnsafePointer<redisAsyncContext>?, _: Int32) {
    guard let context, let link = owner(context) else { return }
    link.contextEnded(ControlLink.errorText(context))
}

private func replyArrived(
    _: UnsafeMutablePointer<redisAsyncContext>?, _ reply: UnsafeMutableRawPointer?,
    _ privateData: UnsafeMutableRawPointer?
) {
    guard let privateData else { preconditionFailure("a reply without its command") }
    let unmanaged = Unmanaged<ReplyCallback>.fromOpaque(privateData)
    let callback = unmanaged.takeUnretainedValue()
    let value = reply.map { ControlReply(copying: $0.assumingMemoryBound(to: redisReply.self)) }
    callback.body(value)
    if !callback.isLasting || value == nil { unmanaged.release() }
}
