internal import ControlClient
internal import EventLoop
internal import Identifiers
internal import Platform
internal import RESP

/// Carries requests from the mailbox to the server, and outcomes back; lives on the client's thread.
final class Courier {
    private struct HeldCall {
        var call: OutgoingCall
        var deadlineNanoseconds: UInt64
    }

    private static let tickPeriod = Duration.milliseconds(100)

    private let loop: Loop
    private let plan: ClientThread.Plan
    private let mailbox: ClientMailbox
    private let connection: ControlConnection
    private var inbox: Watch?
    private var ticker: Timer?
    /// Calls that wait for a connection, oldest first.
    private var held: [HeldCall] = []
    private var listeners: [UInt64: ListenerLink] = [:]
    private var leases = Leases()
    /// How often the connection came up.
    private var connectionNumber: UInt64 = 0
    private var lossReason = "no connection yet"

    init(_ loop: Loop, _ plan: ClientThread.Plan, _ mailbox: ClientMailbox) {
        self.loop = loop
        self.plan = plan
        self.mailbox = mailbox
        var limits = ControlConnection.Limits()
        limits.connectTimeout = plan.limits.connectTimeout
        limits.replyTimeout = plan.limits.replyTimeout
        connection = ControlConnection(
            loop, to: plan.address, credentials: plan.credentials, limits: limits)
        connection.onUp = { [weak self] in self?.wentUp() }
        connection.onDown = { [weak self] reason in self?.wentDown(reason) }
        inbox = Watch(loop, mailbox.descriptor, .readable) { [weak self] in self?.readMailbox() }
        ticker = Timer(loop) { [weak self] in self?.tick() }
    }

    /// Works until the mailbox is closed.
    func run() {
        connection.start()
        ticker?.schedule(after: Self.tickPeriod)
        loop.run()
        connection.stop()
        failHeld("the client is closed") { _ in true }
        for listener in listeners.values { listener.finish(nil) }
        listeners = [:]
    }

    private func readMailbox() {
        let (requests, isClosed) = mailbox.takeAll()
        for request in requests { carryOut(request) }
        if isClosed { loop.stop() }
    }

    private func carryOut(_ request: Request) {
        switch request {
        case .call(let call): connection.isUp ? send(call) : hold(call)
        case .listen(let listener): listen(listener)
        case .stopListening(let number): listeners.removeValue(forKey: number)?.stop()
        case .renew(let batch, let milliseconds):
            leases.add(batch, milliseconds: milliseconds, now: SystemClock.monotonicNanoseconds)
        case .stopRenewing(let batch): leases.remove(batch)
        }
    }

    // MARK: Calls

    private func send(_ call: OutgoingCall) {
        let number = connectionNumber
        if let wanted = call.connection, wanted != number {
            return end(call, .otherConnection)
        }
        connection.send(call.words) { [weak self] reply in
            guard let self else { return call.continuation.resume(returning: .lost("closed")) }
            guard let reply else {
                return end(call, .lost("lost the connection to \(plan.address) before the answer"))
            }
            end(call, .reply(reply, connection: number))
        }
    }

    private func end(_ call: OutgoingCall, _ outcome: Outcome) {
        mailbox.callEnded()
        call.continuation.resume(returning: outcome)
    }

    private func hold(_ call: OutgoingCall) {
        let patience = UInt64(plan.limits.connectTimeout / .nanoseconds(1))
        held.append(
            HeldCall(call: call, deadlineNanoseconds: SystemClock.monotonicNanoseconds + patience))
    }

    private func failHeld(_ reason: String, where isDue: (HeldCall) -> Bool) {
        let due = held.filter(isDue)
        held.removeAll(where: isDue)
        for item in due { end(item.call, .lost(reason)) }
    }

    private func wentUp() {
        connectionNumber += 1
        let calls = held
        held = []
        for item in calls { send(item.call) }
        // Leases ran on while there was no connection.
        leases.makeAllDue()
        renewLeases()
    }

    private func wentDown(_ reason: String) {
        lossReason = "no connection to \(plan.address): \(reason)"
        // Whoever connects for the first time wants to know at once.
        if connectionNumber == 0 { failHeld(lossReason) { _ in true } }
    }

    private func tick() {
        let now = SystemClock.monotonicNanoseconds
        failHeld(lossReason) { $0.deadlineNanoseconds <= now }
        renewLeases()
        ticker?.schedule(after: Self.tickPeriod)
    }

    // MARK: Leases

    private func renewLeases() {
        guard connection.isUp else { return }
        for (batch, milliseconds) in leases.takeDue(now: SystemClock.monotonicNanoseconds) {
            // The batch may have ended by now: then there is nothing to renew, and who writes to
            // it hears of that.
            connection.send(["PEXPIRE", "GC:\(batch)", "\(milliseconds)"]) { [weak self] reply in
                if reply == .integer(0) { self?.leases.remove(batch) }
            }
        }
    }

    // MARK: Listeners

    private func listen(_ listener: Listener) {
        let link = ListenerLink(loop, plan, listener)
        listeners[listener.number] = link
        link.start()
    }
}
