internal import ControlClient
internal import Identifiers
internal import RESP
internal import Synchronization

/// A connection to a server, for drivers: call it from any task.
///
/// Commands go out in the order in which they are called, without waiting for each other. A lost
/// connection comes back by itself: calls whose answer went with it throw `GCSError.connection`, and
/// calls made meanwhile wait for the new one. A call is not ended by cancelling its task, since its
/// command cannot be called back; each ends within the limits' times.
public final class GCSClient: Sendable {
    /// How long a client waits, and how much it has under way.
    public struct Limits: Sendable {
        /// How long a connect may take, and how long a call waits for a lost connection to be back.
        public var connectTimeout = Duration.seconds(5)
        /// How long an answer may take; then the connection is given up.
        public var replyTimeout = Duration.seconds(15)
        /// Calls that have no answer yet; one more throws `GCSError.connection`.
        public var callCountMax = 100_000
        /// Notices that a listener has not read; one more ends its sequence with an error.
        public var unreadNoticeCountMax = 10_000

        /// 5 s, 15 s, 100,000 calls, 10,000 notices.
        public init() {}
    }

    let limits: Limits
    private let mailbox: ClientMailbox
    private let lastListenerNumber = Atomic<UInt64>(0)

    private init(_ mailbox: ClientMailbox, _ limits: Limits) {
        self.mailbox = mailbox
        self.limits = limits
    }

    deinit { mailbox.close() }

    /// Connects, on a thread of its own; SIGPIPE is ignored in the whole process from now on.
    ///
    /// - Parameters:
    ///   - address: `host:port`, `host` (port 6379) or the path of a socket.
    ///   - username: the user to log in as; `nil` for the default one.
    ///   - password: what to log in with; `nil` not to log in.
    ///   - limits: times and counts to stay within.
    /// - Throws: `GCSError.connection` when nobody answers or the password is refused,
    ///   `GCSError.server` when it is not a gcs-server.
    public static func connect(
        to address: String, username: String? = nil, password: String? = nil,
        limits: Limits = Limits()
    ) async throws(GCSError) -> GCSClient {
        guard let place = ControlAddress(address) else {
            throw .connection("an address is host:port or a path, found '\(address)'")
        }
        let mailbox = try ClientMailbox(callCountMax: limits.callCountMax)
        let credentials = password.map { ControlCredentials(username: username, password: $0) }
        let plan = ClientThread.Plan(address: place, credentials: credentials, limits: limits)
        try ClientThread.start(plan, mailbox)
        let client = GCSClient(mailbox, limits)
        _ = try await client.batchInfo(.root)
        return client
    }

    /// Closes the connection; calls under way throw `GCSError.connection`.
    public func close() async { await mailbox.closeAndWait() }

    /// Sends one command.
    ///
    /// - Parameter connection: the only connection that it may go out on; `nil` for any.
    func outcome(of words: [[UInt8]], on connection: UInt64? = nil) async -> Outcome {
        await withCheckedContinuation { continuation in
            let call = OutgoingCall(
                words: words, connection: connection, continuation: continuation)
            if let refusal = mailbox.post(.call(call)) {
                continuation.resume(returning: .lost(refusal))
            }
        }
    }

    /// Sends one command and returns its reply, which is no error.
    func reply(to command: Command) async throws(GCSError) -> ControlReply {
        try await answer(to: command).reply
    }

    /// As `reply(to:)`, with the connection that brought it.
    func answer(
        to command: Command
    ) async throws(GCSError) -> (reply: ControlReply, connection: UInt64) {
        switch await outcome(of: command.words) {
        case .reply(.error(let code, let text), _): throw GCSError(code: code, text: text)
        case .reply(let reply, let connection): return (reply, connection)
        case .lost(let reason): throw .connection(reason)
        case .otherConnection: preconditionFailure("a call for any connection found none")
        }
    }

    /// Tells the thread; a closed client has nothing to tell.
    func post(_ request: Request) -> String? { mailbox.post(request) }

    func nextListenerNumber() -> UInt64 {
        lastListenerNumber.add(1, ordering: .relaxed).newValue
    }
}
