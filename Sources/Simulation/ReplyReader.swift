internal import RESP

/// Replies of RESP2 out of bytes that come in pieces.
struct ReplyReader {
    private var bytes: [UInt8] = []
    private var position = 0

    mutating func append(_ more: [UInt8]) { bytes += more }

    /// The next complete reply; `nil` when more bytes are needed.
    mutating func next() -> ControlReply? {
        let start = position
        guard let reply = read() else {
            position = start
            return nil
        }
        if position == bytes.count {
            bytes = []
            position = 0
        }
        return reply
    }

    private mutating func read() -> ControlReply? {
        guard let line = readLine(), let kind = line.first else { return nil }
        let text = String(decoding: line.dropFirst(), as: UTF8.self)
        switch kind {
        case UInt8(ascii: "+"): return .status(text)
        case UInt8(ascii: "-"): return ControlReply(errorLine: text)
        case UInt8(ascii: ":"): return .integer(Int64(text) ?? 0)
        case UInt8(ascii: "$"): return readBulk(Int(text) ?? -1)
        case UInt8(ascii: "*"): return readArray(Int(text) ?? -1)
        default: preconditionFailure("the server sent a reply of kind \(kind): \(text)")
        }
    }

    private mutating func readBulk(_ count: Int) -> ControlReply? {
        guard count >= 0 else { return .null }
        guard bytes.count - position >= count + 2 else { return nil }
        defer { position += count + 2 }
        return .bytes(Array(bytes[position..<position + count]))
    }

    private mutating func readArray(_ count: Int) -> ControlReply? {
        guard count >= 0 else { return .null }
        var elements: [ControlReply] = []
        for _ in 0..<count {
            guard let element = read() else { return nil }
            elements.append(element)
        }
        return .array(elements)
    }

    private mutating func readLine() -> ArraySlice<UInt8>? {
        var end = position
        while end + 1 < bytes.count {
            if bytes[end] == 0x0d, bytes[end + 1] == 0x0a {
                defer { position = end + 2 }
                return bytes[position..<end]
            }
            end += 1
        }
        return nil
    }
}

/// A request as an array of bulk strings.
func encodedRequest(_ words: [String]) -> [UInt8] {
    var bytes = Array("*\(words.count)\r\n".utf8)
    for word in words { bytes += Array("$\(word.utf8.count)\r\n\(word)\r\n".utf8) }
    return bytes
}
