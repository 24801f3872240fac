/// Writes replies in the protocol version of their reader, into a buffer that grows as needed.
///
/// The loop has one for all connections: a command writes its reply here, and the server remembers
/// which part belongs to whom until the end of the loop's turn.
public struct ReplyWriter: ~Copyable {
    /// The bytes; `count` of them are written.
    public private(set) var base: UnsafeMutablePointer<UInt8>
    /// Bytes written.
    public private(set) var count = 0
    private var capacity: Int
    /// 2 or 3: how maps, sets, nulls and pushes are written from now on.
    public var version: UInt8 = 2

    /// An empty writer.
    public init(capacity: Int = 4096) {
        self.capacity = max(capacity, 64)
        base = .allocate(capacity: self.capacity)
    }

    deinit { base.deallocate() }

    /// Forgets everything after the first `newCount` bytes; gives memory back when it had grown a lot.
    public mutating func truncate(to newCount: Int) {
        precondition(newCount <= count, "a writer cannot be truncated to more than it holds")
        count = newCount
        guard newCount == 0, capacity > 4 << 20 else { return }
        base.deallocate()
        capacity = 64 << 10
        base = .allocate(capacity: capacity)
    }

    /// Makes room for `byteCount` more bytes.
    @inlinable @inline(__always)
    public mutating func reserve(_ byteCount: Int) {
        if byteCount > roomLeft { grow(by: byteCount) }
    }

    @usableFromInline
    var roomLeft: Int { capacity &- count }

    @inline(never) @usableFromInline
    mutating func grow(by byteCount: Int) {
        var newCapacity = capacity * 2
        while newCapacity < count + byteCount { newCapacity *= 2 }
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: newCapacity)
        larger.update(from: base, count: count)
        base.deallocate()
        base = larger
        capacity = newCapacity
    }

    /// Appends bytes as they are.
    @inline(__always)
    public mutating func raw(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) {
        reserve(byteCount)
        (base + count).update(from: bytes, count: byteCount)
        count &+= byteCount
    }

    /// Appends a literal as it is.
    @inline(__always)
    public mutating func raw(_ literal: StaticString) {
        raw(literal.utf8Start, literal.utf8CodeUnitCount)
    }

    /// Appends bytes as they are.
    public mutating func raw(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer { if let start = $0.baseAddress { raw(start, $0.count) } }
    }

    /// Writes a type byte, a decimal number and the line end.
    @inline(__always)
    mutating func header(_ type: UInt8, _ value: Int64) {
        reserve(24)
        base[count] = type
        count &+= 1
        decimal(value)
        base[count] = 13
        base[count &+ 1] = 10
        count &+= 2
    }

    /// Writes a decimal number; 21 bytes must be reserved.
    @inline(__always)
    private mutating func decimal(_ value: Int64) {
        if value >= 0 && value < 10 {
            base[count] = 0x30 &+ UInt8(truncatingIfNeeded: value)
            count &+= 1
            return
        }
        if value >= 0 && value < 100 {
            base[count] = 0x30 &+ UInt8(truncatingIfNeeded: value / 10)
            base[count &+ 1] = 0x30 &+ UInt8(truncatingIfNeeded: value % 10)
            count &+= 2
            return
        }
        longDecimal(value)
    }

    @inline(never)
    private mutating func longDecimal(_ value: Int64) {
        var rest = value.magnitude
        if value < 0 {
            base[count] = UInt8(ascii: "-")
            count += 1
        }
        var digits = 1
        var probe = rest
        while probe >= 10 {
            probe /= 10
            digits += 1
        }
        for place in stride(from: digits - 1, through: 0, by: -1) {
            base[count + place] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        }
        count += digits
    }
}

extension ReplyWriter {
    /// `+OK`.
    @inline(__always)
    public mutating func ok() { raw("+OK\r\n") }

    /// A status of one short line.
    public mutating func status(_ text: StaticString) {
        raw("+")
        raw(text)
        raw("\r\n")
    }

    /// A whole number.
    @inline(__always)
    public mutating func integer(_ value: Int64) { header(UInt8(ascii: ":"), value) }

    /// A whole number.
    @inline(__always)
    public mutating func integer(_ value: Int) { header(UInt8(ascii: ":"), Int64(value)) }

    /// Bytes of any content.
    @inline(__always)
    public mutating func bulk(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) {
        reserve(byteCount &+ 32)
        header(UInt8(ascii: "$"), Int64(byteCount))
        (base + count).update(from: bytes, count: byteCount)
        count &+= byteCount
        base[count] = 13
        base[count &+ 1] = 10
        count &+= 2
    }

    /// Bytes of any content.
    public mutating func bulk(_ word: Word) { bulk(word.start, word.count) }

    /// Bytes of any content.
    public mutating func bulk(_ bytes: [UInt8]) {
        bytes.withUnsafeBufferPointer {
            guard let start = $0.baseAddress else { return raw("$0\r\n\r\n") }
            bulk(start, $0.count)
        }
    }

    /// A literal as a bulk string.
    @inline(__always)
    public mutating func bulk(_ literal: StaticString) {
        bulk(literal.utf8Start, literal.utf8CodeUnitCount)
    }

    /// Text as a bulk string.
    public mutating func bulk(text: String) {
        var text = text
        text.withUTF8 {
            guard let start = $0.baseAddress else { return raw("$0\r\n\r\n") }
            bulk(start, $0.count)
        }
    }

    /// A number as a bulk string of its decimal digits.
    public mutating func bulk(decimal value: Int64) {
        withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 24) { digits in
            var rest = value.magnitude
            var position = 24
            repeat {
                position -= 1
                digits[position] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if value < 0 {
                position -= 1
                digits[position] = UInt8(ascii: "-")
            }
            guard let start = digits.baseAddress else { return }
            bulk(start + position, 24 - position)
        }
    }

    /// Text for people: a verbatim string in version 3, so that redis-cli prints it unquoted.
    public mutating func verbatim(_ text: String) {
        guard version >= 3 else { return bulk(text: text) }
        header(UInt8(ascii: "="), Int64(text.utf8.count + 4))
        raw("txt:")
        raw(Array(text.utf8))
        raw("\r\n")
    }

    /// Nothing: `$-1` in version 2, `_` in version 3.
    public mutating func null() {
        if version >= 3 { raw("_\r\n") } else { raw("$-1\r\n") }
    }

    /// No array: `*-1` in version 2, `_` in version 3.
    public mutating func nullArray() {
        if version >= 3 { raw("_\r\n") } else { raw("*-1\r\n") }
    }

    /// An array of `elementCount` replies, which follow.
    @inline(__always)
    public mutating func array(_ elementCount: Int) {
        header(UInt8(ascii: "*"), Int64(elementCount))
    }

    /// A map of `pairCount` keys and values, which follow; a flat array in version 2.
    public mutating func map(_ pairCount: Int) {
        if version >= 3 {
            header(UInt8(ascii: "%"), Int64(pairCount))
        } else {
            header(UInt8(ascii: "*"), Int64(pairCount * 2))
        }
    }

    /// A set of `elementCount` members, which follow; an array in version 2.
    public mutating func set(_ elementCount: Int) {
        header(version >= 3 ? UInt8(ascii: "~") : UInt8(ascii: "*"), Int64(elementCount))
    }

    /// A message out of turn of `elementCount` replies; an array in version 2.
    public mutating func push(_ elementCount: Int) {
        header(version >= 3 ? UInt8(ascii: ">") : UInt8(ascii: "*"), Int64(elementCount))
    }

    /// An error line: a code in capitals, then text, in which line ends become spaces.
    public mutating func error(_ text: String) {
        raw("-")
        raw(text.utf8.map { $0 == 13 || $0 == 10 ? 0x20 : $0 })
        raw("\r\n")
    }
}
