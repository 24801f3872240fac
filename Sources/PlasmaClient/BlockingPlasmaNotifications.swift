internal import EventLoop
internal import Glibc
public import PlasmaProtocol
internal import Platform

/// What a store tells a subscriber: objects that were sealed, and objects that are gone.
///
/// The store queues what is not read; read in good time.
public final class BlockingPlasmaNotifications {
    /// The store ends the subscription with the connection that asked for it.
    private let connection: BlockingPlasmaConnection
    private let socket: BlockingSocket
    private var input = ByteBuffer()

    /// Makes a pair of sockets and gives the store one of them.
    init(
        _ connection: BlockingPlasmaConnection, on store: borrowing BlockingSocket
    ) throws(BlockingSocket.Failure) {
        var pair: [Int32] = [-1, -1]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0 else {
            throw BlockingSocket.Failure(reason: systemReason(errno))
        }
        self.connection = connection
        socket = BlockingSocket(adopting: pair[0])
        let given = Descriptor(adopting: pair[1])
        _ = fcntl(pair[0], F_SETFD, FD_CLOEXEC)
        // Arrow's store would wait for us if this end were blocking.
        _ = fcntl(given.number, F_SETFL, fcntl(given.number, F_GETFL) | O_NONBLOCK)
        try store.send(descriptor: given.number)
    }

    /// The rows of the next notification.
    ///
    /// - Returns: `nil` when none came in time.
    /// - Throws: `PlasmaError.lost` when the store is gone.
    public func next(timeout: Duration) throws(PlasmaError) -> [ObjectInfo]? {
        let nanoseconds = UInt64(max(0, timeout / .nanoseconds(1)))
        let deadline = SystemClock.monotonicNanoseconds + nanoseconds
        while true {
            if let rows = try takeNotification() { return rows }
            guard try receive(until: deadline) else { return nil }
        }
    }

    private func takeNotification() throws(PlasmaError) -> [ObjectInfo]? {
        do throws(WireError) {
            let header = Notification.headerByteCount
            let size = try Notification.bodyByteCount(input.bytes, bodyByteCountMax: 1 << 30)
            guard let size, input.count >= header + size else { return nil }
            let body = UnsafeRawBufferPointer(rebasing: input.bytes[header..<header + size])
            let rows = try ObjectInfo.rows(body)
            input.consume(header + size)
            return rows
        } catch {
            throw .malformed(error)
        }
    }

    private func receive(until deadline: UInt64) throws(PlasmaError) -> Bool {
        do throws(BlockingSocket.Failure) {
            guard try socket.wait(until: deadline) else { return false }
            let room = UnsafeMutableRawBufferPointer(start: input.reserve(1 << 16), count: 1 << 16)
            input.commit(try socket.receiveSome(room))
            return true
        } catch {
            throw .lost(path: connection.path, reason: error.reason)
        }
    }
}
