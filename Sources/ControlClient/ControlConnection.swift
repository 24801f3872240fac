public import EventLoop
internal import Platform
public import RESP

/// Commands to a server on the event loop: pipelined, answered in order, reconnecting by itself.
///
/// RESP2. A command whose connection ended before the reply is answered with `nil` and not sent
/// again: whoever sent it knows what to do on the next connection.
public final class ControlConnection {
    /// What a connection may do before it is given up, and how much it may have under way.
    public struct Limits: Sendable {
        /// Commands sent and not answered; further ones wait here for their turn.
        public var windowCount = 512
        /// How long a connect and AUTH may take.
        public var connectTimeout = Duration.seconds(5)
        /// How long a command may stay unanswered; then the connection is given up.
        public var replyTimeout = Duration.seconds(15)

        /// 512 commands, 5 s, 15 s.
        public init() {}
    }

    /// Called when commands may be sent.
    public var onUp: () -> Void = {}
    /// Called with the reason when the connection was lost or an attempt failed.
    public var onDown: (_ reason: String) -> Void = { _ in }

    private struct Command {
        let words: [[UInt8]]
        let completion: (ControlReply?) -> Void
    }

    private let link: ControlLink
    private let limits: Limits
    private var waiting: [Command] = []
    private var firstWaiting = 0
    private var unansweredCount = 0
    private var lastProgress = SystemClock.monotonicNanoseconds
    private var watchdog: Timer?

    /// A connection that does nothing until `start()`.
    public init(
        _ loop: Loop, to address: ControlAddress, credentials: ControlCredentials? = nil,
        limits: Limits = Limits()
    ) {
        self.limits = limits
        link = ControlLink(loop, address, credentials, connectTimeout: limits.connectTimeout)
        link.onUp = { [weak self] in self?.wentUp() }
        link.onDown = { [weak self] reason in self?.wentDown(reason) }
        watchdog = Timer(loop) { [weak self] in self?.checkProgress() }
    }

    /// Whether commands may be sent.
    public var isUp: Bool { link.isUp }

    /// Connects, and again after every loss (50 ms to 2 s later), until `stop()`.
    public func start() { link.start() }

    /// Closes the connection for good.
    public func stop() {
        watchdog?.cancel()
        link.stop()
        failWaiting()
    }

    /// Sends one command, when the window has room for it.
    ///
    /// - Parameters:
    ///   - words: the command's name and its arguments; at least one.
    ///   - completion: called once; `nil` when the connection ended before the reply, or is not up.
    public func send(_ words: [[UInt8]], completion: @escaping (ControlReply?) -> Void) {
        guard link.isUp else { return completion(nil) }
        waiting.append(Command(words: words, completion: completion))
        submitWaiting()
    }

    /// As `send` with words of text.
    public func send(_ words: [String], completion: @escaping (ControlReply?) -> Void) {
        send(words.map { Array($0.utf8) }, completion: completion)
    }

    private func submitWaiting() {
        while unansweredCount < limits.windowCount, firstWaiting < waiting.count {
            let command = waiting[firstWaiting]
            firstWaiting += 1
            if unansweredCount == 0 { lastProgress = SystemClock.monotonicNanoseconds }
            unansweredCount += 1
            link.submit(
                command.words,
                ReplyCallback { [weak self] reply in
                    self?.answered()
                    command.completion(reply)
                    if reply != nil { self?.submitWaiting() }
                })
        }
        guard firstWaiting == waiting.count else { return }
        waiting.removeAll(keepingCapacity: true)
        firstWaiting = 0
    }

    private func answered() {
        unansweredCount -= 1
        lastProgress = SystemClock.monotonicNanoseconds
    }

    private func wentUp() {
        watchdog?.schedule(after: .seconds(1))
        onUp()
    }

    private func wentDown(_ reason: String) {
        watchdog?.cancel()
        failWaiting()
        onDown(reason)
    }

    private func failWaiting() {
        let left = waiting[firstWaiting...]
        waiting = []
        firstWaiting = 0
        for command in left { command.completion(nil) }
    }

    private func checkProgress() {
        let silence = Duration.nanoseconds(SystemClock.monotonicNanoseconds - lastProgress)
        if unansweredCount > 0, silence > limits.replyTimeout {
            return link.drop("no answer within \(limits.replyTimeout)")
        }
        watchdog?.schedule(after: .seconds(1))
    }
}
