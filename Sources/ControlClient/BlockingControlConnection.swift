internal import CHiredis
internal import Glibc
public import RESP

/// Why a call on a `BlockingControlConnection` brought no reply.
public enum ControlError: Error, Equatable {
    /// Nobody answered at the address.
    case unreachable(address: ControlAddress, reason: String)
    /// The connection broke, and with it every command that waited.
    case lost(address: ControlAddress, reason: String)
    /// The server's error reply: `NOBATCH`, `no such batch 42`.
    case refused(code: String, text: String)
}

extension ControlError: CustomStringConvertible {
    /// One line for a person.
    public var description: String {
        switch self {
        case .unreachable(let address, let reason): "cannot connect to \(address): \(reason)"
        case .lost(let address, let reason): "lost the connection to \(address): \(reason)"
        case .refused(let code, let text): text.isEmpty ? code : text
        }
    }
}

/// A connection that waits for each reply: for command lines and tests, never for a loop.
///
/// RESP2, over hiredis' synchronous context. One thread at a time.
public final class BlockingControlConnection {
    /// Where it is connected to.
    public let address: ControlAddress
    private let context: UnsafeMutablePointer<redisContext>

    /// Connects.
    ///
    /// - Parameters:
    ///   - address: the server's.
    ///   - timeout: how long to wait for the connection, and then for each reply.
    /// - Throws: `ControlError.unreachable`.
    public init(to address: ControlAddress, timeout: Duration = .seconds(10)) throws(ControlError) {
        self.address = address
        let time = timeval(timeout)
        let made =
            switch address {
            case .tcp(let host, let port): redisConnectWithTimeout(host, Int32(port), time)
            case .unix(let path): redisConnectUnixWithTimeout(path, time)
            }
        guard let context = made else {
            throw .unreachable(address: address, reason: "out of memory")
        }
        guard context.pointee.err == 0 else {
            let reason = reasonText(context, after: timeout)
            redisFree(context)
            throw .unreachable(address: address, reason: reason)
        }
        self.context = context
        self.timeout = timeout
        redisSetTimeout(context, time)
    }

    private let timeout: Duration

    deinit { redisFree(context) }

    /// Sends one command and waits for its reply, which may be the server's error.
    ///
    /// - Throws: `ControlError.lost`; the connection is of no use afterwards.
    public func reply(to words: [[UInt8]]) throws(ControlError) -> ControlReply {
        try replies(to: [words])[0]
    }

    /// As `reply(to:)` with words of text.
    public func reply(to words: [String]) throws(ControlError) -> ControlReply {
        try reply(to: words.map { Array($0.utf8) })
    }

    /// Sends one command and waits for its reply.
    ///
    /// - Throws: `ControlError.refused` when the reply is an error, `ControlError.lost`.
    public func command(_ words: String...) throws(ControlError) -> ControlReply {
        try command(words)
    }

    /// As `command(_:)` with words in an array.
    public func command(_ words: [String]) throws(ControlError) -> ControlReply {
        let reply = try reply(to: words)
        if case .error(let code, let text) = reply { throw .refused(code: code, text: text) }
        return reply
    }

    /// Sends all commands before it reads the first reply.
    ///
    /// - Returns: one reply per command, in order; errors of single commands are among them.
    /// - Throws: `ControlError.lost`.
    public func replies(to commands: [[[UInt8]]]) throws(ControlError) -> [ControlReply] {
        for words in commands { try append(words) }
        var replies: [ControlReply] = []
        replies.reserveCapacity(commands.count)
        for _ in commands { replies.append(try nextReply()) }
        return replies
    }

    /// As `replies(to:)` with words of text.
    public func replies(to commands: [[String]]) throws(ControlError) -> [ControlReply] {
        try replies(to: commands.map { words in words.map { Array($0.utf8) } })
    }

    private func append(_ words: [[UInt8]]) throws(ControlError) {
        let status = withArgumentPointers(words) { arguments, lengths in
            redisAppendCommandArgv(context, Int32(words.count), arguments, lengths)
        }
        guard status == REDIS_OK else { throw lost() }
    }

    private func nextReply() throws(ControlError) -> ControlReply {
        var raw: UnsafeMutableRawPointer?
        guard redisGetReply(context, &raw) == REDIS_OK, let raw else { throw lost() }
        defer { freeReplyObject(raw) }
        return ControlReply(copying: raw.assumingMemoryBound(to: redisReply.self))
    }

    private func lost() -> ControlError {
        .lost(address: address, reason: reasonText(context, after: timeout))
    }
}

extension timeval {
    fileprivate init(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        self.init(tv_sec: Int(seconds), tv_usec: Int(attoseconds / 1_000_000_000_000))
    }
}

/// What hiredis says went wrong, in our way of writing.
private func reasonText(
    _ context: UnsafeMutablePointer<redisContext>, after timeout: Duration
) -> String {
    let code = errno
    if context.pointee.err == REDIS_ERR_EOF { return "the server closed it" }
    if context.pointee.err == REDIS_ERR_IO, code == EAGAIN || code == ETIMEDOUT {
        return "no answer within \(timeout.components.seconds) s"
    }
    let text = withUnsafeBytes(of: &context.pointee.errstr) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
    guard let first = text.first else { return "unknown error" }
    return first.lowercased() + text.dropFirst()
}
