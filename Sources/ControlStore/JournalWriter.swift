internal import Identifiers

/// Changes as RESP commands `GCS.LOAD <change> ...`, one behind the other in a buffer that only grows.
struct JournalWriter: ~Copyable {
    private(set) var base: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    /// Bytes written.
    private(set) var count = 0

    /// Where commands lie that do not tell of records where their ids say; with what little lies between them.
    private var others: [Range<Int>] = []
    /// Where the last of them begins, if no such record follows it.
    private var otherStart: Int?

    /// What the change of a record begins with, up to its id, and the traits that it tells.
    private let recordHead: UnsafeMutablePointer<UInt8>
    private var recordHeadCount = 0
    private var recordTraits: UInt8?
    private static let recordHeadCountMax = 64

    /// Bytes above which an emptied buffer is given back.
    private static let keptByteCount = 4 << 20
    private static let firstByteCount = 64 << 10

    init() {
        capacity = Self.firstByteCount
        base = .allocate(capacity: capacity)
        recordHead = .allocate(capacity: Self.recordHeadCountMax)
    }

    deinit {
        base.deallocate()
        recordHead.deallocate()
    }

    /// Where commands lie that tell of other things than records that are where their ids say, or of none.
    var otherRanges: [Range<Int>] { otherStart.map { others + [$0..<count] } ?? others }

    mutating func clear() {
        count = 0
        others.removeAll(keepingCapacity: true)
        otherStart = nil
        guard capacity > Self.keptByteCount else { return }
        base.deallocate()
        capacity = Self.firstByteCount
        base = .allocate(capacity: capacity)
    }

    @inline(__always)
    private mutating func reserve(_ byteCount: Int) {
        if capacity &- count < byteCount { grow(byteCount) }
    }

    @inline(never)
    private mutating func grow(_ byteCount: Int) {
        let wanted = max(capacity * 2, count + byteCount)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: wanted)
        larger.update(from: base, count: count)
        base.deallocate()
        base = larger
        capacity = wanted
    }

    /// Notes that another command than a record's begins.
    @inline(__always)
    private mutating func beginOther() { if otherStart == nil { noteOther() } }

    @inline(never)
    private mutating func noteOther() {
        otherStart = count
        guard let last = others.last, count - last.upperBound < Self.gapByteCount else { return }
        otherStart = last.lowerBound
        others.removeLast()
    }

    @inline(never)
    private mutating func endOther(_ start: Int) {
        others.append(start..<count)
        otherStart = nil
    }

    /// Bytes of records between others above which they are told apart: each place takes memory.
    static let gapByteCount = 4096

    /// Starts a command with `wordCount` words behind the name of the change.
    ///
    /// - Parameter isLasting: whether it says more than that something is gone: else nobody has to tell it again.
    mutating func start(_ change: StaticString, wordCount: Int, isLasting: Bool = true) {
        if isLasting { beginOther() }
        reserve(64)
        put(UInt8(ascii: "*"))
        put(wordCount + 2)
        endLine()
        let name: StaticString = "$8\r\nGCS.LOAD\r\n"
        put(name.utf8Start, name.utf8CodeUnitCount)
        word(UnsafeRawBufferPointer(start: change.utf8Start, count: change.utf8CodeUnitCount))
    }

    /// Tells a record whose id tells its owner; what most of a log consists of.
    mutating func record(_ traits: UInt8, _ id: RecordID, _ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count + 160)
        startRecord(traits, id)
        word(bytes)
    }

    /// The same of a record whose first eight bytes are elsewhere.
    mutating func record(
        _ traits: UInt8, _ id: RecordID, _ head: UInt64, _ rest: UnsafeRawBufferPointer
    ) {
        reserve(rest.count + 160)
        startRecord(traits, id)
        put(UInt8(ascii: "$"))
        put(MemoryLayout<UInt64>.size + rest.count)
        endLine()
        UnsafeMutableRawPointer(base + count).storeBytes(of: head, as: UInt64.self)
        count &+= MemoryLayout<UInt64>.size
        if let start = rest.baseAddress {
            put(start.assumingMemoryBound(to: UInt8.self), rest.count)
        }
        endLine()
    }

    @inline(__always)
    private mutating func startRecord(_ traits: UInt8, _ id: RecordID) {
        if let start = otherStart { endOther(start) }
        if traits != recordTraits { makeRecordHead(traits) }
        put(recordHead, recordHeadCount)
        id.store(to: UnsafeMutableRawPointer(base + count))
        count &+= RecordID.byteCount
        endLine()
    }

    /// Most records of an epoch begin alike.
    @inline(never)
    private mutating func makeRecordHead(_ traits: UInt8) {
        let start = count
        put(JournalFormat.recordHead.utf8Start, JournalFormat.recordHead.utf8CodeUnitCount)
        word(Int64(traits))
        put(Self.idHead.utf8Start, Self.idHead.utf8CodeUnitCount)
        recordHeadCount = count - start
        recordHead.update(from: base + start, count: recordHeadCount)
        (recordTraits, count) = (traits, start)
    }

    private static var idHead: StaticString { "$20\r\n" }

    /// Adds a word.
    mutating func word(_ bytes: UnsafeRawBufferPointer) {
        reserve(bytes.count + 32)
        put(UInt8(ascii: "$"))
        put(bytes.count)
        endLine()
        if let start = bytes.baseAddress {
            put(start.assumingMemoryBound(to: UInt8.self), bytes.count)
        }
        endLine()
    }

    /// Adds whole commands.
    mutating func append(_ commands: UnsafeRawBufferPointer) {
        guard let start = commands.baseAddress, commands.count > 0 else { return }
        beginOther()
        reserve(commands.count)
        put(start.assumingMemoryBound(to: UInt8.self), commands.count)
    }

    /// Adds a word.
    mutating func word(_ bytes: [UInt8]) { bytes.withUnsafeBytes { word($0) } }

    /// Adds an id as a word of 20 bytes.
    mutating func word(_ id: RecordID) {
        reserve(32)
        put(Self.idHead.utf8Start, Self.idHead.utf8CodeUnitCount)
        id.store(to: UnsafeMutableRawPointer(base + count))
        count += RecordID.byteCount
        endLine()
    }

    /// Adds a number as a word of decimal digits.
    mutating func word(_ value: Int64) {
        reserve(48)
        let digits = Self.digitCount(value.magnitude) + (value < 0 ? 1 : 0)
        put(UInt8(ascii: "$"))
        put(digits)
        endLine()
        if value < 0 { put(UInt8(ascii: "-")) }
        put(value.magnitude)
        endLine()
    }

    mutating func word(_ value: some BinaryInteger) { word(Int64(value)) }

    /// Adds an entry's id as a word.
    mutating func word(_ id: LogID) { word(Array(id.description.utf8)) }

    private static func digitCount(_ value: UInt64) -> Int {
        if value < 10 { return 1 }
        if value < 100 { return 2 }
        if value < 1000 { return 3 }
        var count = 4
        var rest = value / 10_000
        while rest > 0 {
            count += 1
            rest /= 10
        }
        return count
    }

    @inline(__always)
    private mutating func put(_ byte: UInt8) {
        base[count] = byte
        count &+= 1
    }

    @inline(__always)
    private mutating func put(_ bytes: UnsafePointer<UInt8>, _ byteCount: Int) {
        (base + count).update(from: bytes, count: byteCount)
        count &+= byteCount
    }

    /// Lengths of words are short numbers, and come with every record.
    @inline(__always)
    private mutating func put(_ value: Int) {
        guard value < 1000 else { return put(UInt64(value)) }
        let number = UInt32(truncatingIfNeeded: value)
        if number >= 100 { put(digit: number / 100) }
        if number >= 10 { put(digit: number / 10 % 10) }
        put(digit: number % 10)
    }

    @inline(__always)
    private mutating func put(digit: UInt32) {
        put(UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit))
    }

    private mutating func put(_ value: UInt64) {
        let digits = Self.digitCount(value)
        var rest = value
        var position = count &+ digits
        while position > count {
            position &-= 1
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            base[position] = UInt8(truncatingIfNeeded: digit) &+ UInt8(ascii: "0")
            rest = quotient
        }
        count &+= digits
    }

    @inline(__always)
    private mutating func endLine() {
        base[count] = UInt8(ascii: "\r")
        base[count &+ 1] = UInt8(ascii: "\n")
        count &+= 2
    }
}
