/// Cuts a byte stream into requests; resumable, so that a request that arrives in pieces is read once.
///
/// Reads RESP arrays of bulk strings and inline commands; a line that begins with `#` is none. Words are
/// kept as offsets from the start of the request: its bytes may move between calls, but must all be there
/// when it is complete.
public struct RequestParser: ~Copyable {
    /// Bounds of what is accepted; beyond them the peer gets a `ProtocolError`.
    @frozen
    public struct Limits: Sendable {
        /// Words of one request.
        public var wordCountMax = 1 << 20
        /// Bytes of one word (`proto-max-bulk-len`).
        public var wordByteCountMax = 512 << 20
        /// Bytes of an inline command.
        public var inlineByteCountMax = 64 << 10

        /// Redis' defaults.
        public init() {}
    }

    private var ranges: UnsafeMutablePointer<WordRange>
    private var capacity: Int
    private var wordCount = 0
    /// Words of the request; -1 before its first line was read.
    private var expected = -1
    /// The length of the word being waited for; -1 before its line was read.
    private var bulkCount = -1
    /// Bytes of the request that were understood so far.
    private var position = 0
    /// The words of an inline command, unquoted; its ranges refer to this.
    private var unquoted: [UInt8] = []
    private var isInline = false

    /// A parser at the start of a request.
    public init() {
        capacity = 16
        ranges = .allocate(capacity: 16)
    }

    deinit { ranges.deallocate() }

    /// The number of words of the complete request; an empty line has none.
    public var count: Int { wordCount }

    /// Bytes that the request needs at least before calling `parse` again can help.
    public var byteCountNeeded: Int { bulkCount >= 0 ? position + bulkCount + 2 : position + 1 }

    /// Forgets the request, to start the next one; keeps memory for a usual one only.
    public mutating func reset() {
        wordCount = 0
        expected = -1
        bulkCount = -1
        position = 0
        if isInline {
            isInline = false
            unquoted = []
        }
        guard capacity > 1024 else { return }
        ranges.deallocate()
        capacity = 16
        ranges = .allocate(capacity: 16)
    }

    /// The words of the complete request whose bytes start at `request`.
    public borrowing func words(at request: UnsafePointer<UInt8>) -> Words {
        guard isInline else { return Words(base: request, ranges: ranges, count: wordCount) }
        return unquoted.withUnsafeBufferPointer {
            // The array is not touched before `reset`, and its storage does not move until then.
            Words(base: $0.baseAddress ?? request, ranges: ranges, count: wordCount)
        }
    }

    /// Goes on reading the request at the start of `input`.
    ///
    /// - Returns: the bytes of the whole request, or `nil` when more are needed.
    /// - Complexity: O(bytes not understood before).
    public mutating func parse(
        _ input: borrowing RawSpan, limits: Limits
    ) throws(ProtocolError) -> Int? {
        if expected < 0 {
            guard input.byteCount > 0 else { return nil }
            guard input[0] == UInt8(ascii: "*") else {
                return try parseInline(input, limits: limits)
            }
            position = 1
            guard let count = try readCount(input, or: .invalidWordCount) else {
                position = 0
                return nil
            }
            guard count <= limits.wordCountMax else { throw .invalidWordCount }
            expected = max(count, 0)
        }
        while wordCount < expected {
            if bulkCount < 0 {
                guard position < input.byteCount else { return nil }
                guard input[position] == UInt8(ascii: "$") else {
                    throw .expectedBulk(found: input[position])
                }
                position &+= 1
                guard let count = try readCount(input, or: .invalidBulkLength) else {
                    position &-= 1
                    return nil
                }
                guard count >= 0, count <= limits.wordByteCountMax else { throw .invalidBulkLength }
                guard position &+ count < Int(UInt32.max) else { throw .requestTooLong }
                bulkCount = count
            }
            guard input.byteCount &- position >= bulkCount &+ 2 else { return nil }
            append(
                WordRange(offset: UInt32(truncatingIfNeeded: position), count: UInt32(bulkCount)))
            position &+= bulkCount &+ 2
            bulkCount = -1
        }
        return position
    }

    @inline(__always)
    private mutating func append(_ range: WordRange) {
        if wordCount == capacity { grow() }
        ranges[wordCount] = range
        wordCount &+= 1
    }

    @inline(never)
    private mutating func grow() {
        let larger = UnsafeMutablePointer<WordRange>.allocate(capacity: capacity * 2)
        larger.update(from: ranges, count: wordCount)
        ranges.deallocate()
        ranges = larger
        capacity *= 2
    }

    /// The number up to the line end at `position`; moves behind it, or is `nil` when it is not there.
    @inline(__always)
    private mutating func readCount(
        _ input: borrowing RawSpan, or error: ProtocolError
    ) throws(ProtocolError) -> Int? {
        var cursor = position
        let end = input.byteCount
        var value = 0
        let isNegative = cursor < end && input[cursor] == UInt8(ascii: "-")
        if isNegative { cursor &+= 1 }
        let first = cursor
        while cursor < end {
            let digit = input[cursor] &- 0x30
            if digit <= 9 {
                value = value &* 10 &+ Int(digit)
                guard cursor &- first < 10 else { throw error }
                cursor &+= 1
                continue
            }
            guard input[cursor] == 13, cursor > first else { throw error }
            guard cursor &+ 1 < end else { return nil }
            guard input[cursor &+ 1] == 10 else { throw error }
            position = cursor &+ 2
            return isNegative ? -value : value
        }
        return nil
    }
}

extension RawSpan {
    @inlinable @inline(__always)
    subscript(offset: Int) -> UInt8 { unsafeLoad(fromByteOffset: offset, as: UInt8.self) }
}

extension RequestParser {
    @inline(never)
    private mutating func parseInline(
        _ input: borrowing RawSpan, limits: Limits
    ) throws(ProtocolError) -> Int? {
        var end = position
        while end < input.byteCount, input[end] != 10 { end += 1 }
        guard end <= limits.inlineByteCountMax else { throw .inlineTooLong }
        guard end < input.byteCount else {
            position = end
            return nil
        }
        let lineEnd = end > 0 && input[end - 1] == 13 ? end - 1 : end
        var line: [UInt8] = []
        line.reserveCapacity(lineEnd)
        for offset in 0..<lineEnd { line.append(input[offset]) }
        // A comment, as Redis' append-only files have them.
        let isComment = line.first == UInt8(ascii: "#")
        guard let words = isComment ? [] : splitLine(line) else { throw .unbalancedQuotes }
        isInline = true
        unquoted = []
        for word in words {
            append(WordRange(offset: UInt32(unquoted.count), count: UInt32(word.count)))
            unquoted += word
        }
        expected = wordCount
        return end + 1
    }
}

/// Cuts a line into words at spaces; quotation as redis-cli has it.
///
/// In double quotes `\xHH`, `\n`, `\r`, `\t`, `\b`, `\a` and an escaped character; in single quotes `\'`.
///
/// - Returns: `nil` when a quotation is not closed, or its end is not followed by a space.
public func splitLine(_ line: [UInt8]) -> [[UInt8]]? {
    var words: [[UInt8]] = []
    var rest = line[...]
    while true {
        rest = rest.drop { isSpace($0) }
        guard !rest.isEmpty else { return words }
        guard let word = readLineWord(&rest) else { return nil }
        words.append(word)
    }
}

private func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (byte >= 9 && byte <= 13) || byte == 0
}

private func readLineWord(_ rest: inout ArraySlice<UInt8>) -> [UInt8]? {
    var word: [UInt8] = []
    while let byte = rest.first, !isSpace(byte) {
        rest.removeFirst()
        guard byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") else {
            word.append(byte)
            continue
        }
        guard readQuotation(closedBy: byte, &rest, into: &word) else { return nil }
        if let next = rest.first, !isSpace(next) { return nil }
    }
    return word
}

private func readQuotation(
    closedBy quote: UInt8, _ rest: inout ArraySlice<UInt8>, into word: inout [UInt8]
) -> Bool {
    let backslash = UInt8(ascii: "\\")
    while let byte = rest.popFirst() {
        if byte == quote { return true }
        guard byte == backslash, let next = rest.first else {
            word.append(byte)
            continue
        }
        if quote == UInt8(ascii: "'") {
            guard next == quote else {
                word.append(byte)
                continue
            }
            rest.removeFirst()
            word.append(quote)
        } else {
            rest.removeFirst()
            word.append(readEscape(next, &rest))
        }
    }
    return false
}

private func readEscape(_ byte: UInt8, _ rest: inout ArraySlice<UInt8>) -> UInt8 {
    switch byte {
    case UInt8(ascii: "n"): return 10
    case UInt8(ascii: "r"): return 13
    case UInt8(ascii: "t"): return 9
    case UInt8(ascii: "b"): return 8
    case UInt8(ascii: "a"): return 7
    case UInt8(ascii: "x"):
        let digits = rest.prefix(2).compactMap { Character(UnicodeScalar($0)).hexDigitValue }
        guard digits.count == 2 else { return byte }
        rest.removeFirst(2)
        return UInt8(digits[0] << 4 | digits[1])
    default: return byte
    }
}
