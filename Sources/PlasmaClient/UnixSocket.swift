internal import CSystem
internal import EventLoop
internal import Glibc

/// Local sockets, as the store's protocol needs them.
enum UnixSocket {
    /// The longest path that fits into an address.
    static let pathByteCountMax = 107

    /// Connects to the socket at `path`; at once, or not at all.
    static func connect(_ path: String) throws(StoreConnectionError) -> Descriptor {
        guard path.utf8.count <= pathByteCountMax else {
            throw .pathByteCount(found: path.utf8.count, limit: pathByteCountMax)
        }
        let number = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue),
            0)
        guard number >= 0 else { throw .system(call: "socket", code: errno) }
        let descriptor = Descriptor(adopting: number)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(number, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard status == 0 else { throw .system(call: "connect", code: errno) }
        return descriptor
    }

    /// Both ends of a new connection, neither of which ever blocks.
    ///
    /// The store writes a notification in one piece or not at all; Arrow's ends itself when a
    /// piece did not fit. So the end that the store writes to gets the largest buffer there is.
    static func pair() throws(StoreConnectionError) -> (ours: Int32, theirs: Int32) {
        var ends: (Int32, Int32) = (-1, -1)
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue)
        let status = withUnsafeMutableBytes(of: &ends) {
            socketpair(AF_UNIX, kind, 0, $0.baseAddress?.assumingMemoryBound(to: Int32.self))
        }
        guard status == 0 else { throw .system(call: "socketpair", code: errno) }
        var size: Int32 = 16 << 20
        let length = socklen_t(MemoryLayout<Int32>.size)
        if setsockopt(ends.1, SOL_SOCKET, SO_SNDBUFFORCE, &size, length) != 0 {
            setsockopt(ends.1, SOL_SOCKET, SO_SNDBUF, &size, length)
        }
        return ends
    }
}
