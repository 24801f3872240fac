internal import CLibevent
internal import Glibc

/// An accepted connection, kept as plain memory: the path of every command runs through it, and class
/// state would double its cost.
public struct SocketConnection {
    /// What its events call.
    public struct Handlers {
        /// There is input.
        public var readable: (UnsafeMutablePointer<SocketConnection>) -> Void
        /// There is room for output.
        public var writable: (UnsafeMutablePointer<SocketConnection>) -> Void

        /// Handlers of many connections; they outlive all of them.
        public init(
            readable: @escaping (UnsafeMutablePointer<SocketConnection>) -> Void,
            writable: @escaping (UnsafeMutablePointer<SocketConnection>) -> Void
        ) {
            self.readable = readable
            self.writable = writable
        }
    }

    /// Whatever the owner files under it.
    public var context: UnsafeMutableRawPointer
    private let descriptor: Int32
    private let handlers: UnsafeMutablePointer<Handlers>
    private var readEvent: OpaquePointer?
    private var writeEvent: OpaquePointer?
    private var isReading = false
    private var isWriting = false

    /// Takes a descriptor over, and starts waiting for input.
    public static func open(
        _ loop: Loop, _ descriptor: Int32, _ handlers: UnsafeMutablePointer<Handlers>,
        context: UnsafeMutableRawPointer
    ) -> UnsafeMutablePointer<SocketConnection> {
        let connection = UnsafeMutablePointer<SocketConnection>.allocate(capacity: 1)
        connection.initialize(
            to: SocketConnection(context: context, descriptor: descriptor, handlers: handlers))
        connection.pointee.readEvent = event_new(
            loop.base, descriptor, Int16(EV_READ | EV_PERSIST), connectionReadable, connection)
        connection.pointee.writeEvent = event_new(
            loop.base, descriptor, Int16(EV_WRITE | EV_PERSIST), connectionWritable, connection)
        connection.pointee.setReading(true)
        return connection
    }

    /// Closes it; the pointer is invalid after this.
    public static func close(_ connection: UnsafeMutablePointer<SocketConnection>) {
        event_free(connection.pointee.readEvent)
        event_free(connection.pointee.writeEvent)
        Glibc.close(connection.pointee.descriptor)
        connection.deinitialize(count: 1)
        connection.deallocate()
    }

    /// Sets the seconds of silence after which the system probes the peer; 0 for never.
    public func setKeepAlive(seconds: Int64) {
        var isOn: Int32 = seconds > 0 ? 1 : 0
        setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &isOn, 4)
        guard seconds > 0 else { return }
        var idle = Int32(clamping: seconds)
        var interval = max(idle / 3, 1)
        var count: Int32 = 3
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_KEEPIDLE, &idle, 4)
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_KEEPINTVL, &interval, 4)
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_KEEPCNT, &count, 4)
    }

    /// Starts or stops waiting for input.
    public mutating func setReading(_ active: Bool) {
        guard active != isReading else { return }
        isReading = active
        if active { event_add(readEvent, nil) } else { event_del(readEvent) }
    }

    /// Starts or stops waiting for room.
    @inline(__always)
    public mutating func setWriting(_ active: Bool) {
        guard active != isWriting else { return }
        isWriting = active
        if active { event_add(writeEvent, nil) } else { event_del(writeEvent) }
    }

    /// Reads what is there.
    ///
    /// - Returns: the bytes read; 0 when there is nothing now, -1 at the end or after an error.
    @inline(__always)
    public func read(into room: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let count = Glibc.read(descriptor, room.baseAddress, room.count)
        if count > 0 { return count }
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1
    }

    /// Sends what the system takes of two runs of bytes.
    ///
    /// - Returns: the bytes taken; -1 after an error.
    @inline(__always)
    public func send(
        _ first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>
    ) -> Int {
        let count: Int
        if second.count == 0 {
            count = write(descriptor, first.baseAddress, first.count)
        } else {
            count = sendBoth(first, second)
        }
        if count >= 0 { return count }
        return errno == EAGAIN || errno == EINTR ? 0 : -1
    }

    private func sendBoth(
        _ first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>
    ) -> Int {
        withUnsafeTemporaryAllocation(of: iovec.self, capacity: 2) { parts in
            parts[0] = iovec(
                iov_base: UnsafeMutableRawPointer(mutating: first.baseAddress), iov_len: first.count
            )
            parts[1] = iovec(
                iov_base: UnsafeMutableRawPointer(mutating: second.baseAddress),
                iov_len: second.count)
            return writev(descriptor, parts.baseAddress, 2)
        }
    }
}

private func connectionReadable(_: Int32, _: Int16, context: UnsafeMutableRawPointer?) {
    guard let connection = context?.assumingMemoryBound(to: SocketConnection.self) else { return }
    connection.pointee.fireReadable(connection)
}

private func connectionWritable(_: Int32, _: Int16, context: UnsafeMutableRawPointer?) {
    guard let connection = context?.assumingMemoryBound(to: SocketConnection.self) else { return }
    connection.pointee.fireWritable(connection)
}

extension SocketConnection {
    fileprivate func fireReadable(_ me: UnsafeMutablePointer<SocketConnection>) {
        handlers.pointee.readable(me)
    }

    fileprivate func fireWritable(_ me: UnsafeMutablePointer<SocketConnection>) {
        handlers.pointee.writable(me)
    }
}

extension SocketConnection {
    /// Tells a peer why it is not taken, and closes the descriptor.
    public static func refuse(_ descriptor: Int32, _ text: String) {
        let bytes = Array(text.utf8)
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        Glibc.close(descriptor)
    }
}
