internal import Identifiers
internal import Platform
internal import RESP
internal import Synchronization

/// What became of a command.
enum Outcome: Sendable {
    /// The server's reply, and which connection brought it.
    case reply(ControlReply, connection: UInt64)
    /// Not sent: there is another connection now than the one the caller knows.
    case otherConnection
    /// No reply, and why.
    case lost(String)
}

/// One command on its way to the server.
struct OutgoingCall: Sendable {
    var words: [[UInt8]]
    /// The connection that it may go out on; `nil` for any.
    var connection: UInt64?
    var continuation: CheckedContinuation<Outcome, Never>
}

/// Somebody who wants to hear of deletions.
struct Listener: Sendable {
    var number: UInt64
    var started: CheckedContinuation<String?, Never>
    var notices: AsyncThrowingStream<DeletionNotice, any Error>.Continuation
}

/// What the client's callers ask of its thread.
enum Request: Sendable {
    case call(OutgoingCall)
    case listen(Listener)
    case stopListening(UInt64)
    /// Renews a batch's time-out while nothing else is said.
    case renew(BatchID, milliseconds: Int64)
    case stopRenewing(BatchID)
}

/// Where requests cross from any thread to the client's own; bounded by the calls under way.
final class ClientMailbox: Sendable {
    private struct State {
        var requests: [Request] = []
        var callCount = 0
        var isClosed = false
        var closers: [CheckedContinuation<Void, Never>] = []
        var isEnded = false
    }

    private let bell: Bell
    private let callCountMax: Int
    private let state = Mutex(State())

    init(callCountMax: Int) throws(GCSError) {
        guard let bell = Bell() else { throw .connection("no descriptor left for a connection") }
        self.bell = bell
        self.callCountMax = callCountMax
    }

    /// Readable while something is in the box.
    var descriptor: Int32 { bell.descriptor }

    /// Puts a request in.
    ///
    /// - Returns: why it was refused; `nil` when it will be carried out.
    func post(_ request: Request) -> String? {
        let (refusal, mustWake) = state.withLock { state -> (String?, Bool) in
            guard !state.isClosed else { return ("the client is closed", false) }
            if case .call = request {
                guard state.callCount < callCountMax else {
                    return ("\(callCountMax) calls are under way, the limit", false)
                }
                state.callCount += 1
            }
            state.requests.append(request)
            return (nil, state.requests.count == 1)
        }
        if mustWake { bell.ring() }
        return refusal
    }

    /// Everything in the box, in order, and whether that was the last.
    func takeAll() -> (requests: [Request], isClosed: Bool) {
        bell.quiet()
        return state.withLock { state in
            defer { state.requests = [] }
            return (state.requests, state.isClosed)
        }
    }

    /// A call has its outcome.
    func callEnded() { state.withLock { $0.callCount -= 1 } }

    /// Refuses all that comes later, and has the thread end.
    func close() {
        state.withLock { $0.isClosed = true }
        bell.ring()
    }

    /// As `close()`, and waits for the thread's end.
    func closeAndWait() async {
        close()
        await withCheckedContinuation { continuation in
            let isEnded = state.withLock { state in
                if !state.isEnded { state.closers.append(continuation) }
                return state.isEnded
            }
            if isEnded { continuation.resume() }
        }
    }

    /// The thread has ended.
    func threadEnded() {
        let closers = state.withLock { state in
            state.isEnded = true
            defer { state.closers = [] }
            return state.closers
        }
        for closer in closers { closer.resume() }
    }
}
