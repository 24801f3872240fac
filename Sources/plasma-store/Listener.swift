internal import CSystem
internal import EventLoop
internal import Glibc

/// A listening unix socket; removes its file when it ends.
final class Listener {
    let descriptor: Int32
    private let path: String

    /// The longest path that a unix socket's address has room for.
    private static let pathByteCountMax = 107

    /// Listens at `path`; a file that a dead process left there is replaced.
    init(path: String) throws(StartError) {
        self.path = path
        guard path.utf8.count <= Self.pathByteCountMax else {
            throw StartError(
                "socket path must be at most \(Self.pathByteCountMax) bytes, found "
                    + "\(path.utf8.count)")
        }
        try Self.removeStale(path)
        let socket = Glibc.socket(AF_UNIX, Self.kind, 0)
        guard socket >= 0 else { throw StartError("create a socket", errno: errno) }
        guard Self.with(path, { bind(socket, $0, $1) }) == 0, listen(socket, 1024) == 0 else {
            let number = errno
            close(socket)
            throw StartError("listen on \(path)", errno: number)
        }
        descriptor = socket
    }

    deinit {
        close(descriptor)
        unlink(path)
    }

    private static var kind: Int32 {
        Int32(SOCK_STREAM.rawValue) | Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    }

    private static func removeStale(_ path: String) throws(StartError) {
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw StartError("cannot listen on \(path): it exists and is not a socket")
        }
        let probe = Glibc.socket(AF_UNIX, kind, 0)
        guard probe >= 0 else { throw StartError("create a socket", errno: errno) }
        defer { close(probe) }
        let isAnswered = with(path, { connect(probe, $0, $1) }) == 0 || errno == EAGAIN
        guard !isAnswered else {
            throw StartError("cannot listen on \(path): another process does already")
        }
        unlink(path)
    }

    private static func with(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
