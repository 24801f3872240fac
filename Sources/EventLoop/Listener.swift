internal import CLibevent
internal import CSystem
internal import Glibc

/// Why a socket could not be opened.
public struct SocketError: Error, CustomStringConvertible, Sendable {
    /// What was tried, and the system's reason.
    public let description: String

    /// The system's present error, after what was tried.
    init(_ attempt: String) {
        description = "\(attempt): \(String(cString: strerror(errno)).lowercased())"
    }
}

/// One end of a connection.
public struct PeerAddress: Sendable {
    /// The peer: `127.0.0.1:1234`, `[::1]:1234`, or the socket's path and `:0`.
    public var peer = ""
    /// This end, likewise.
    public var local = ""
    /// Whether it came over a socket file.
    public var isLocal = false
    /// Whether it came from this machine.
    public var isLoopback = false
}

/// Takes connections from a TCP port or a socket file; closes it, and removes the file, when released.
public final class Listener {
    private let descriptor: Int32
    private let path: String?
    private var watch: Watch?
    private var resume: Timer?
    private let accepted: (Int32, PeerAddress) -> Void

    /// The TCP port, chosen by the system when 0 was asked for; 0 for a socket file.
    public let port: Int

    /// Connections taken in one turn of the loop at most.
    private static let acceptCountPerTurn = 1000

    private init(
        _ loop: Loop, _ descriptor: Int32, path: String?, port: Int,
        accepted: @escaping (Int32, PeerAddress) -> Void
    ) {
        self.descriptor = descriptor
        self.path = path
        self.port = port
        self.accepted = accepted
        watch = Watch(loop, descriptor, .readable) { [unowned self] in takeConnections() }
        resume = Timer(loop) { [unowned self] in watch?.setActive(true) }
    }

    deinit {
        watch = nil
        close(descriptor)
        if let path { unlink(path) }
    }

    /// Listens on a TCP port of one address.
    ///
    /// - Parameters:
    ///   - host: an address in digits, a name, `*` for every IPv4 and `::*` for every IPv6 address.
    ///   - port: 0 for one that the system chooses.
    public static func tcp(
        _ loop: Loop, host: String, port: Int, backlog: Int,
        accepted: @escaping (Int32, PeerAddress) -> Void
    ) throws(SocketError) -> Listener {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var found: UnsafeMutablePointer<addrinfo>?
        if host == "*" { hints.ai_family = AF_INET }
        let address = host == "::*" ? "::" : host
        let status = getaddrinfo(host == "*" ? nil : address, String(port), &hints, &found)
        guard status == 0, let first = found else {
            errno = EADDRNOTAVAIL
            throw SocketError("cannot resolve \(host)")
        }
        defer { freeaddrinfo(found) }
        let family = first.pointee.ai_family
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SocketError("cannot open a socket for \(host):\(port)") }
        var one: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4)
        if family == AF_INET6 { setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, 4) }
        guard bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0,
            listen(descriptor, Int32(backlog)) == 0
        else {
            defer { close(descriptor) }
            throw SocketError("cannot listen on \(host):\(port)")
        }
        setNonBlocking(descriptor)
        let port = SocketName(descriptor, getsockname).port
        return Listener(loop, descriptor, path: nil, port: port, accepted: accepted)
    }

    /// Listens on a socket file; one that nobody listens on is replaced.
    ///
    /// - Parameter permissions: its mode, or 0 for what the process's mask leaves.
    public static func local(
        _ loop: Loop, path: String, permissions: Int, backlog: Int,
        accepted: @escaping (Int32, PeerAddress) -> Void
    ) throws(SocketError) -> Listener {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw SocketError("cannot open a socket for \(path)") }
        guard var address = sockaddr_un(path: path) else {
            close(descriptor)
            errno = ENAMETOOLONG
            throw SocketError("cannot listen on \(path)")
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let isListening = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                if connect(descriptor, address, size) != 0, errno == ECONNREFUSED { unlink(path) }
                return bind(descriptor, address, size) == 0
                    && listen(descriptor, Int32(backlog)) == 0
            }
        }
        guard isListening else {
            defer { close(descriptor) }
            throw SocketError("cannot listen on \(path)")
        }
        if permissions != 0 { chmod(path, mode_t(permissions)) }
        setNonBlocking(descriptor)
        return Listener(loop, descriptor, path: path, port: 0, accepted: accepted)
    }

    private func takeConnections() {
        for _ in 0..<Self.acceptCountPerTurn {
            let connection = gcs_accept(descriptor)
            guard connection >= 0 else {
                guard errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM
                else {
                    return
                }
                // Without a free descriptor the loop would spin on the waiting connection.
                watch?.setActive(false)
                resume?.schedule(after: .milliseconds(100))
                return
            }
            accepted(connection, address(of: connection))
        }
    }

    private func address(of connection: Int32) -> PeerAddress {
        if let path {
            return PeerAddress(
                peer: "\(path):0", local: "\(path):0", isLocal: true, isLoopback: true)
        }
        var one: Int32 = 1
        setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
        let peer = SocketName(connection, getpeername)
        return PeerAddress(
            peer: peer.text, local: SocketName(connection, getsockname).text,
            isLoopback: peer.isLoopback)
    }
}

private func setNonBlocking(_ descriptor: Int32) {
    _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
}

extension sockaddr_un {
    /// An address of a path; `nil` when it is too long.
    init?(path: String) {
        self.init()
        sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        let capacity = MemoryLayout.size(ofValue: sun_path)
        guard bytes.count < capacity else { return nil }
        withUnsafeMutableBytes(of: &sun_path) { $0.copyBytes(from: bytes) }
    }
}

/// A TCP address in digits.
private struct SocketName {
    var host = ""
    var port = 0

    typealias Query = (
        Int32, UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>
    ) -> Int32

    init(_ descriptor: Int32, _ query: Query) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                guard query(descriptor, address, &length) == 0 else { return }
                read(address, length)
            }
        }
    }

    private mutating func read(_ address: UnsafeMutablePointer<sockaddr>, _ length: socklen_t) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { host in
            withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16) { port in
                guard let hostStart = host.baseAddress, let portStart = port.baseAddress,
                    getnameinfo(
                        address, length, hostStart, 64, portStart, 16,
                        NI_NUMERICHOST | NI_NUMERICSERV)
                        == 0
                else { return }
                self.host = String(cString: hostStart)
                self.port = Int(String(cString: portStart)) ?? 0
            }
        }
    }

    var text: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }

    var isLoopback: Bool {
        host.hasPrefix("127.") || host == "::1" || host.hasPrefix("::ffff:127.")
    }
}
