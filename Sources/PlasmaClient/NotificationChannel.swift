internal import CSystem
internal import EventLoop
internal import Glibc
internal import PlasmaProtocol

/// What a store tells its subscribers: objects that were sealed, deleted or evicted.
final class NotificationChannel {
    private static let bodyByteCountMax = 1 << 30

    /// Carries the subscription; nothing is answered on it.
    private var subscriber: ByteStream?
    private var notifications: ByteStream?
    private let onChanges: ([ObjectInfo]) -> Void

    /// Subscribes at the store that listens at `path`.
    ///
    /// The frame and the byte that carries our descriptor follow each other at once on a fresh
    /// socket: Arrow's store serves nobody between the two.
    ///
    /// - Parameter onEnd: called once; nothing is told afterwards.
    init(
        _ loop: Loop, path: String, onChanges: @escaping ([ObjectInfo]) -> Void,
        onEnd: @escaping (StoreConnectionError) -> Void
    ) throws(StoreConnectionError) {
        self.onChanges = onChanges
        let socket = try UnixSocket.connect(path)
        let (ours, theirs) = try UnixSocket.pair()
        let ourEnd = Descriptor(adopting: ours)
        let theirEnd = Descriptor(adopting: theirs)
        var frame = ByteBuffer()
        EmptyMessage.write(.subscribeRequest, to: &frame)
        let flags = Int32(MSG_NOSIGNAL)
        let count = send(socket.number, frame.bytes.baseAddress, frame.count, flags)
        guard count == frame.count else { throw .system(call: "send", code: errno) }
        guard gcs_send_descriptor(socket.number, theirEnd.number) == 1 else {
            throw .system(call: "sendmsg", code: errno)
        }
        subscriber = ByteStream(
            loop, adopting: socket,
            parse: { bytes throws(StoreConnectionError) in bytes.count }, onEnd: onEnd)
        notifications = ByteStream(
            loop, adopting: ourEnd,
            parse: { [weak self] bytes throws(StoreConnectionError) in
                try self?.parse(bytes) ?? bytes.count
            }, onEnd: onEnd)
    }

    /// Reads all that is there to be read now.
    func drain() { notifications?.drain() }

    private func parse(_ bytes: UnsafeRawBufferPointer) throws(StoreConnectionError) -> Int {
        var used = 0
        var rows: [ObjectInfo] = []
        do throws(WireError) {
            while let body = try body(UnsafeRawBufferPointer(rebasing: bytes[used...])) {
                used += Notification.headerByteCount + body.count
                rows += try ObjectInfoList(body).rowsOfRecords()
            }
        } catch {
            throw .wire(error)
        }
        if !rows.isEmpty { onChanges(rows) }
        return used
    }

    /// The first notification's body in `bytes`; `nil` when it is not complete.
    private func body(
        _ bytes: UnsafeRawBufferPointer
    ) throws(WireError) -> UnsafeRawBufferPointer? {
        let start = Notification.headerByteCount
        guard
            let count = try Notification.bodyByteCount(
                bytes, bodyByteCountMax: Self.bodyByteCountMax),
            bytes.count >= start + count
        else { return nil }
        return UnsafeRawBufferPointer(rebasing: bytes[start..<start + count])
    }
}
