/// One word of a request: a view of the bytes that were received.
///
/// Valid only while its command runs; copy what must stay.
@frozen
public struct Word {
    /// The first byte.
    public var start: UnsafePointer<UInt8>
    /// The number of bytes.
    public var count: Int

    /// A view of `count` bytes at `start`.
    @inlinable @inline(__always)
    public init(start: UnsafePointer<UInt8>, count: Int) {
        self.start = start
        self.count = count
    }

    /// A copy of the bytes.
    public var bytes: [UInt8] { Array(UnsafeBufferPointer(start: start, count: count)) }

    /// The bytes as text, repaired where they are not UTF-8.
    public var text: String {
        String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
    }

    /// Whether the word is `literal`, in capital or small letters; `literal` is in capitals.
    @inlinable
    public func matches(_ literal: StaticString) -> Bool {
        guard literal.utf8CodeUnitCount == count else { return false }
        let other = literal.utf8Start
        for position in 0..<count {
            var byte = start[position]
            if byte >= 0x61 && byte <= 0x7a { byte &-= 0x20 }
            if byte != other[position] { return false }
        }
        return true
    }

    /// The word as a decimal number: what Redis takes, no sign but `-`, no leading zero, no space.
    @inlinable
    public var integer: Int64? {
        guard count > 0, count <= 20 else { return nil }
        let isNegative = start[0] == 0x2d
        var position = isNegative ? 1 : 0
        guard position < count else { return nil }
        if start[position] == 0x30 { return count == 1 ? 0 : nil }
        var value: UInt64 = 0
        while position < count {
            let digit = start[position] &- 0x30
            guard digit <= 9 else { return nil }
            let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
            let (sum, carry) = scaled.addingReportingOverflow(UInt64(digit))
            guard !overflow, !carry else { return nil }
            value = sum
            position += 1
        }
        if isNegative { return value <= 1 << 63 ? Int64(truncatingIfNeeded: 0 &- value) : nil }
        return value < 1 << 63 ? Int64(value) : nil
    }
}

/// Where a word lies in the bytes of its request.
@frozen
public struct WordRange {
    /// Bytes from the start of the request.
    public var offset: UInt32
    /// The number of bytes.
    public var count: UInt32

    @inlinable @inline(__always)
    init(offset: UInt32, count: UInt32) {
        self.offset = offset
        self.count = count
    }
}

/// The words of one request, read left to right.
///
/// Valid only while its command runs.
@frozen
public struct Words {
    let base: UnsafePointer<UInt8>
    let ranges: UnsafePointer<WordRange>
    /// The number of words, the command's name included.
    public let count: Int
    /// The position of the next word to read.
    public var position: Int

    @usableFromInline
    init(base: UnsafePointer<UInt8>, ranges: UnsafePointer<WordRange>, count: Int) {
        self.base = base
        self.ranges = ranges
        self.count = count
        position = 0
    }

    /// Words not read yet.
    public var left: Int { count - position }

    /// The word at `index`, counted from the command's name.
    public subscript(index: Int) -> Word {
        precondition(index < count, "a word beyond the request")
        return Word(start: base + Int(ranges[index].offset), count: Int(ranges[index].count))
    }

    /// Reads one word; `nil` when none is left.
    public mutating func next() -> Word? {
        guard position < count else { return nil }
        defer { position &+= 1 }
        return self[position]
    }
}

/// A copy of a request, for a command that is carried out later.
public struct KeptWords: Sendable {
    private let bytes: [UInt8]
    private let ranges: [WordRange]

    /// A copy of all words.
    public init(_ words: Words) {
        var bytes: [UInt8] = []
        var ranges: [WordRange] = []
        for index in 0..<words.count {
            let word = words[index]
            ranges.append(WordRange(offset: UInt32(bytes.count), count: UInt32(word.count)))
            bytes.append(contentsOf: UnsafeBufferPointer(start: word.start, count: word.count))
        }
        self.bytes = bytes
        self.ranges = ranges
    }

    /// Lends the words.
    public func withWords(_ body: (Words) -> Void) {
        bytes.withUnsafeBufferPointer { bytes in
            ranges.withUnsafeBufferPointer { ranges in
                guard let base = bytes.baseAddress, let first = ranges.baseAddress else { return }
                body(Words(base: base, ranges: first, count: ranges.count))
            }
        }
    }
}
