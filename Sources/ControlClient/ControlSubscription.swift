public import EventLoop
internal import RESP

/// Channels and patterns of a server, on a connection of their own; subscribed anew after each loss.
///
/// Messages sent while there was no connection are lost: read what they were about after `onUp`.
public final class ControlSubscription {
    /// Called when every channel and pattern is subscribed.
    public var onUp: () -> Void = {}
    /// Called with the reason when the connection was lost or an attempt failed.
    public var onDown: (_ reason: String) -> Void = { _ in }
    /// Called for each message.
    public var onMessage: (_ channel: [UInt8], _ payload: [UInt8]) -> Void = { _, _ in }

    private let link: ControlLink
    private let channels: [String]
    private let patterns: [String]
    private var confirmedCount = 0

    /// A subscription that does nothing until `start()`.
    public init(
        _ loop: Loop, to address: ControlAddress, credentials: ControlCredentials? = nil,
        channels: [String] = [], patterns: [String] = [], connectTimeout: Duration = .seconds(5)
    ) {
        self.channels = channels
        self.patterns = patterns
        link = ControlLink(loop, address, credentials, connectTimeout: connectTimeout)
        link.onUp = { [weak self] in self?.subscribe() }
        link.onDown = { [weak self] reason in self?.onDown(reason) }
    }

    /// Connects and subscribes, and again after every loss, until `stop()`.
    public func start() { link.start() }

    /// Closes the connection for good.
    public func stop() { link.stop() }

    private func subscribe() {
        confirmedCount = 0
        for channel in channels { submit("SUBSCRIBE", channel) }
        for pattern in patterns { submit("PSUBSCRIBE", pattern) }
    }

    private func submit(_ command: String, _ name: String) {
        link.submit(
            [Array(command.utf8), Array(name.utf8)],
            ReplyCallback(isLasting: true) { [weak self] reply in
                if let reply { self?.arrived(reply) }
            })
    }

    private func arrived(_ reply: ControlReply) {
        if let line = reply.errorLine { return link.drop("subscription refused: \(line)") }
        guard let elements = reply.elements, let kind = elements.first?.text else { return }
        switch kind {
        case "subscribe", "psubscribe":
            confirmedCount += 1
            if confirmedCount == channels.count + patterns.count { onUp() }
        case "message" where elements.count == 3: deliver(elements[1], elements[2])
        case "pmessage" where elements.count == 4: deliver(elements[2], elements[3])
        default: break
        }
    }

    private func deliver(_ channel: ControlReply, _ payload: ControlReply) {
        guard case .bytes(let name) = channel, case .bytes(let bytes) = payload else { return }
        onMessage(name, bytes)
    }
}
