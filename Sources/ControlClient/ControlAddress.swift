/// Where a server listens: a TCP port or a Unix socket.
public enum ControlAddress: Hashable, Sendable {
    /// A host name or address, and a port.
    case tcp(host: String, port: Int)
    /// The path of a socket.
    case unix(path: String)

    /// Reads `host:port`, `[v6]:port`, `host` (port 6379), `unix:/path` or `/path`; `nil` for
    /// anything else.
    public init?(_ text: String) {
        if let path = Self.path(in: text) {
            self = .unix(path: path)
            return
        }
        guard let (host, port) = Self.hostAndPort(in: text), !host.isEmpty else { return nil }
        guard let port else {
            self = .tcp(host: host, port: 6379)
            return
        }
        guard let number = Int(port), (1...65535).contains(number) else { return nil }
        self = .tcp(host: host, port: number)
    }

    private static func path(in text: String) -> String? {
        if text.hasPrefix("/") { return text }
        guard text.hasPrefix("unix:") else { return nil }
        let path = text.dropFirst("unix:".count)
        return path.isEmpty ? nil : String(path)
    }

    private static func hostAndPort(in text: String) -> (host: String, port: String?)? {
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { return nil }
            let host = String(text[text.index(after: text.startIndex)..<end])
            let rest = text[text.index(after: end)...]
            if rest.isEmpty { return (host, nil) }
            return rest.hasPrefix(":") ? (host, String(rest.dropFirst())) : nil
        }
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        switch parts.count {
        case 1: return (text, nil)
        case 2: return (String(parts[0]), String(parts[1]))
        default: return nil
        }
    }
}

extension ControlAddress: CustomStringConvertible {
    /// As `init` reads it.
    public var description: String {
        switch self {
        case .tcp(let host, let port): host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): path
        }
    }
}
