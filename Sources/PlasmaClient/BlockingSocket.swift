internal import CSystem
internal import EventLoop
internal import Glibc
internal import Platform

/// What went wrong with a system call, in our way of writing.
func systemReason(_ code: Int32) -> String {
    let text = String(cString: strerror(code))
    guard let first = text.first else { return "error \(code)" }
    return first.lowercased() + text.dropFirst()
}

/// A stream socket on this machine that is waited for, byte by byte if need be.
struct BlockingSocket: ~Copyable {
    /// Why bytes could not be sent or received.
    struct Failure: Error { var reason: String }

    let descriptor: Descriptor

    /// Connects to the socket at `path`.
    init(path: String) throws(Failure) {
        let made = Descriptor(adopting: socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0))
        guard made.number >= 0 else { throw Failure(reason: systemReason(errno)) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard path.utf8.count < room else {
            throw Failure(
                reason: "a socket's path has at most \(room - 1) bytes, found \(path.utf8.count)")
        }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(made.number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw Failure(reason: systemReason(errno)) }
        _ = fcntl(made.number, F_SETFD, FD_CLOEXEC)
        descriptor = made
    }

    /// Takes over an open socket.
    init(adopting number: Int32) { descriptor = Descriptor(adopting: number) }

    /// Sends all bytes.
    func send(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
        var sent = 0
        while sent < bytes.count {
            let rest = UnsafeRawBufferPointer(rebasing: bytes[sent...])
            let count = Glibc.send(
                descriptor.number, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Failure(reason: systemReason(errno)) }
            sent += count
        }
    }

    /// Waits until something can be received.
    ///
    /// - Parameter deadline: on the clock of `SystemClock.monotonicNanoseconds`; `nil` waits for ever.
    /// - Returns: `false` when the deadline came first.
    func wait(until deadline: UInt64?) throws(Failure) -> Bool {
        while true {
            var interest = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
            var milliseconds: Int32 = -1
            if let deadline {
                let now = SystemClock.monotonicNanoseconds
                let left = deadline > now ? (deadline - now + 999_999) / 1_000_000 : 0
                milliseconds = Int32(min(left, 1 << 30))
            }
            let count = poll(&interest, 1, milliseconds)
            if count > 0 { return true }
            if count < 0, errno != EINTR { throw Failure(reason: systemReason(errno)) }
            if count == 0, let deadline, SystemClock.monotonicNanoseconds >= deadline {
                return false
            }
        }
    }

    /// Receives some bytes, at least one, waiting for them.
    func receiveSome(_ room: UnsafeMutableRawBufferPointer) throws(Failure) -> Int {
        while true {
            let count = recv(descriptor.number, room.baseAddress, room.count, 0)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw Failure(reason: systemReason(errno)) }
            guard count > 0 else { throw Failure(reason: "the other side closed it") }
            return count
        }
    }

    /// Fills the buffer, and receives no byte more.
    func receive(_ buffer: UnsafeMutableRawBufferPointer, until deadline: UInt64?) throws(Failure) {
        var filled = 0
        while filled < buffer.count {
            guard try wait(until: deadline) else { throw Failure(reason: "no answer in time") }
            filled += try receiveSome(UnsafeMutableRawBufferPointer(rebasing: buffer[filled...]))
        }
    }

    /// Receives the byte that carries a descriptor, and the descriptor.
    func receiveDescriptor(until deadline: UInt64?) throws(Failure) -> Descriptor {
        guard try wait(until: deadline) else { throw Failure(reason: "no answer in time") }
        while true {
            var byte: UInt8 = 0
            var passed: Int32 = -1
            let count = gcs_receive_descriptor(descriptor.number, &byte, 1, &passed)
            if count < 0, errno == EINTR { continue }
            guard count > 0, passed >= 0 else {
                let reason = count < 0 ? systemReason(errno) : "a file was promised and not sent"
                throw Failure(reason: reason)
            }
            return Descriptor(adopting: passed)
        }
    }

    /// Sends a byte that carries a descriptor.
    func send(descriptor passed: Int32) throws(Failure) {
        guard gcs_send_descriptor(descriptor.number, passed) == 1 else {
            throw Failure(reason: systemReason(errno))
        }
    }
}
