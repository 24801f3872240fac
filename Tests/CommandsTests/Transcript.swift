import Foundation
import RESP

/// A golden session: who sends what, and what everybody receives.
///
/// `name> words` is sent as a request, words as redis-cli reads them; `name< reply` is expected; `~ 10s` or
/// `~ 250ms` moves the clock; lines with `#` are for people.
struct Transcript {
    let name: String
    let text: String

    /// Replays the requests; the text with the replies received in place of those expected.
    func replayed(on server: inout MemoryServer) -> String {
        var clients: [String] = []
        var lines: [String] = []
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init) {
            if let mark = Self.mark("<", line), clients.contains(mark) { continue }
            lines.append(line)
            if line.hasPrefix("~ ") {
                server.advance(milliseconds: Self.milliseconds(line))
            } else if let client = Self.mark(">", line) {
                if !clients.contains(client) { clients.append(client) }
                server.send(Self.request(line.dropFirst(client.count + 1)), from: client)
            } else {
                continue
            }
            for client in clients {
                for reply in ReplyText.lines(server.takeOutput(client)) {
                    lines.append("\(client)< \(reply)")
                }
            }
        }
        return lines.joined(separator: "\n")
    }

    private static func mark(_ mark: Character, _ line: String) -> String? {
        guard !line.hasPrefix("#"), let end = line.firstIndex(of: mark) else { return nil }
        let name = line[..<end]
        return !name.isEmpty && name.allSatisfy { $0.isLetter || $0.isNumber } ? String(name) : nil
    }

    private static func milliseconds(_ line: String) -> Int64 {
        let text = line.dropFirst(2)
        if text.hasSuffix("ms") { return Int64(text.dropLast(2)) ?? 0 }
        return (Int64(text.dropLast(1)) ?? 0) * 1000
    }

    /// A line as a request; one that starts with `raw ` is sent as it is, with its escapes.
    private static func request(_ line: Substring) -> [UInt8] {
        let words = splitLine(Array(line.utf8)) ?? []
        if words.first == Array("raw".utf8) { return words.dropFirst().flatMap { $0 } }
        return words.reduce(into: Array("*\(words.count)\r\n".utf8)) { bytes, word in
            bytes += Array("$\(word.count)\r\n".utf8) + word + Array("\r\n".utf8)
        }
    }
}

/// Replies as people read them: `OK`, `(error) ERR ...`, `1`, `"text"`, `[...]`, `{...}`, `nil`.
enum ReplyText {
    static func lines(_ bytes: [UInt8]) -> [String] {
        var rest = bytes[...]
        var lines: [String] = []
        while !rest.isEmpty { lines.append(one(&rest)) }
        return lines
    }

    private static func line(_ rest: inout ArraySlice<UInt8>) -> String {
        let end = rest.firstIndex(of: 13) ?? rest.endIndex
        let text = String(decoding: rest[..<end], as: UTF8.self)
        rest = rest[end...].dropFirst(2)
        return text
    }

    private static func one(_ rest: inout ArraySlice<UInt8>) -> String {
        guard let type = rest.popFirst() else { return "" }
        switch UnicodeScalar(type) {
        case "+": return line(&rest)
        case "-": return "(error) " + line(&rest)
        case ":": return line(&rest)
        case "_":
            _ = line(&rest)
            return "nil"
        case "$", "=": return bulk(&rest)
        case "*": return list(&rest, "[", "]", pairs: false)
        case "~": return list(&rest, "~[", "]", pairs: false)
        case ">": return list(&rest, ">[", "]", pairs: false)
        case "%": return list(&rest, "{", "}", pairs: true)
        default:
            rest = rest.drop { $0 != UInt8(ascii: ">") }.dropFirst()
            return "(closed)"
        }
    }

    private static func bulk(_ rest: inout ArraySlice<UInt8>) -> String {
        guard let count = Int(line(&rest)), count >= 0 else { return "nil" }
        let text = rest.prefix(count).map { byte in
            switch byte {
            case 0x22: "\\\""
            case 0x5c: "\\\\"
            case 0x0a: "\\n"
            case 0x0d: "\\r"
            case 0x20..<0x7f: String(UnicodeScalar(byte))
            default: "\\x" + String(format: "%02x", byte)
            }
        }
        rest = rest.dropFirst(count + 2)
        return "\"" + text.joined() + "\""
    }

    private static func list(
        _ rest: inout ArraySlice<UInt8>, _ open: String, _ close: String, pairs: Bool
    ) -> String {
        guard let count = Int(line(&rest)), count >= 0 else { return "nil" }
        var parts: [String] = []
        for _ in 0..<count {
            let first = one(&rest)
            parts.append(pairs ? first + ": " + one(&rest) : first)
        }
        return open + parts.joined(separator: ", ") + close
    }
}
