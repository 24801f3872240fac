/// Where a server listens: `127.0.0.1:6379`, `gcs.example.org:6379`, `[::1]:6379`.
public struct HostAndPort: Equatable, Sendable, LosslessStringConvertible {
    /// A name or an address, without brackets.
    public let host: String
    /// 1 to 65535.
    public let port: Int

    /// A host and a port that were checked already.
    public init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`; an IPv6 address stands in brackets.
    public init?(_ description: String) {
        guard let colon = description.lastIndex(of: ":"),
            let port = UInt16(description[description.index(after: colon)...]), port > 0
        else { return nil }
        var host = description[..<colon]
        if host.hasPrefix("[") && host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            return nil
        }
        guard !host.isEmpty, !host.contains(where: { $0.isWhitespace || $0 == "[" || $0 == "]" })
        else { return nil }
        self.init(host: String(host), port: Int(port))
    }

    /// The same text that `init(_:)` reads.
    public var description: String {
        host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
    }
}

extension SettingKind where Value == HostAndPort {
    /// `host:port`.
    public static let hostAndPort = SettingKind(
        accepts: "`host:port`",
        parse: { (word) throws(SettingError.Reason) in
            guard let value = HostAndPort(word) else {
                throw .value("argument must be 'host:port', such as 127.0.0.1:6379")
            }
            return value
        },
        text: { $0.description })
}
