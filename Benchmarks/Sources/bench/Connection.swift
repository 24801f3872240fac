import Foundation

/// A blocking connection that sends bytes and counts what comes back.
final class Connection {
    private let descriptor: Int32
    private var buffer = [UInt8](repeating: 0, count: 1 << 20)

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.loopback(port: port)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard status == 0 else {
            close(descriptor)
            throw BenchError(description: "cannot connect to port \(port)")
        }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
    }

    deinit { close(descriptor) }

    private static func loopback(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        return address
    }

    /// A port that nobody listens on just now.
    static func freePort() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = loopback(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let status = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, size) == 0 ? getsockname(descriptor, $0, &size) : -1
            }
        }
        guard status == 0 else { throw BenchError(description: "the system gives no port") }
        return Int(in_port_t(bigEndian: address.sin_port))
    }

    static func request(_ words: [[UInt8]]) -> [UInt8] {
        words.reduce(into: Array("*\(words.count)\r\n".utf8)) { bytes, word in
            bytes += "$\(word.count)\r\n".utf8
            bytes += word
            bytes += "\r\n".utf8
        }
    }

    func send(_ bytes: [UInt8]) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { write(descriptor, $0.baseAddress! + sent, bytes.count - sent) }
            guard count > 0 else { return }
            sent += count
        }
    }

    /// Reads until `lineCount` lines came; the bytes of the last part.
    @discardableResult
    func awaitLines(_ lineCount: Int) -> [UInt8] {
        var left = lineCount
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return [] }
            left -= buffer[..<count].count { $0 == 10 }
            if left <= 0 { return Array(buffer[..<count]) }
        }
    }

    /// Reads exactly so many bytes.
    func awaitBytes(_ byteCount: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(byteCount)
        while bytes.count < byteCount {
            let count = read(descriptor, &buffer, min(buffer.count, byteCount - bytes.count))
            guard count > 0 else { return bytes }
            bytes += buffer[..<count]
        }
        return bytes
    }

    /// Reads an array whose last header line tells how many lines follow; all its lines.
    func arrayLines(headerLineCount: Int) -> [String] {
        var bytes: [UInt8] = []
        var wanted = headerLineCount
        var seen = 0
        while seen < wanted {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { return [] }
            bytes += buffer[..<count]
            seen += buffer[..<count].count { $0 == 10 }
            guard wanted == headerLineCount, seen >= wanted else { continue }
            let header = bytes.split(separator: 10, maxSplits: headerLineCount)[headerLineCount - 1]
            wanted += Int(String(decoding: header.dropFirst(), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0
        }
        return String(decoding: bytes, as: UTF8.self).split(separator: "\r\n").map(String.init)
    }

    /// Sends one command whose reply is a line; the line.
    func command(_ words: [String]) -> String {
        send(Self.request(words.map { Array($0.utf8) }))
        return String(decoding: awaitLines(1), as: UTF8.self).trimmingCharacters(in: .newlines)
    }
}
