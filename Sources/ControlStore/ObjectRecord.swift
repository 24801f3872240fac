/// An object's record: flags (1), unused (1), locations (2), size (8), where it is spilled if it is,
/// then 4 bytes a location.
///
/// A location is the number of a node's registration; its top bit marks a secondary copy. Where it
/// is spilled outlives registrations, so it carries the node's name: bytes of the name (2), bytes of
/// the URL (2), both texts, padding to 4.
struct ObjectRecord {
    static let headerByteCount = 12
    static let locationCountMax = 10_000
    static let secondaryBit: UInt32 = 1 << 31
    private static let keptBit: UInt8 = 1
    private static let pinnedBit: UInt8 = 2
    private static let orphanBit: UInt8 = 4
    private static let spilledBit: UInt8 = 8
    private static let countedBit: UInt8 = 16
    private static let unreferencedBit: UInt8 = 32

    private let bytes: UnsafeMutableRawPointer

    init(_ payload: UnsafeMutableRawBufferPointer) {
        guard let start = payload.baseAddress else {
            preconditionFailure("an object without a record")
        }
        bytes = start
    }

    static func byteCount(locationCount: Int, spilledByteCount: Int = 0) -> Int {
        headerByteCount + spilledByteCount + 4 * locationCount
    }

    /// Bytes that tell where an object is spilled, by the lengths of both texts.
    static func spilledByteCount(node: Int, url: Int) -> Int { (4 + node + url + 3) & ~3 }

    /// A view of bytes that are only read.
    init(reading bytes: UnsafeRawBufferPointer) {
        self.init(UnsafeMutableRawBufferPointer(mutating: bytes))
    }

    /// Whether bytes that come from outside are such a record.
    static func isValid(_ bytes: UnsafeRawBufferPointer) -> Bool {
        guard bytes.count >= headerByteCount else { return false }
        let record = ObjectRecord(reading: bytes)
        var rest = bytes.count - headerByteCount - 4 * record.locationCount
        if record.has(spilledBit) {
            guard bytes.count >= headerByteCount + 4 else { return false }
            rest -= record.spilledByteCount
        }
        return record.locationCount <= locationCountMax && rest >= 0
    }

    /// Fills a new record.
    func clear() {
        bytes.storeBytes(of: 0, as: UInt32.self)
        size = 0
    }

    /// Whether it passes to the parent when its batch ends.
    var isKept: Bool {
        get { has(Self.keptBit) }
        nonmutating set { set(Self.keptBit, newValue) }
    }

    /// Whether it stays, whatever ends, until it is unpinned.
    var isPinned: Bool {
        get { has(Self.pinnedBit) }
        nonmutating set { set(Self.pinnedBit, newValue) }
    }

    /// Whether only its pin keeps it: its batch has ended.
    var isOrphan: Bool {
        get { has(Self.orphanBit) }
        nonmutating set { set(Self.orphanBit, newValue) }
    }

    /// Whether it lost its last reference while it was spared.
    var isUnreferenced: Bool {
        get { has(Self.unreferencedBit) }
        nonmutating set { set(Self.unreferencedBit, newValue) }
    }

    /// Whether the record of the task that made it counts it.
    var isCounted: Bool {
        get { has(Self.countedBit) }
        nonmutating set { set(Self.countedBit, newValue) }
    }

    private func has(_ bit: UInt8) -> Bool { bytes.load(as: UInt8.self) & bit != 0 }

    private func set(_ bit: UInt8, _ isOn: Bool) {
        let flags = bytes.load(as: UInt8.self)
        bytes.storeBytes(of: isOn ? flags | bit : flags & ~bit, as: UInt8.self)
    }

    var locationCount: Int {
        get { Int(bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)) }
        nonmutating set { bytes.storeBytes(of: UInt16(newValue), toByteOffset: 2, as: UInt16.self) }
    }

    /// Bytes of the object, metadata included.
    var size: Int64 {
        get { bytes.loadUnaligned(fromByteOffset: 4, as: Int64.self) }
        nonmutating set { bytes.storeBytes(of: newValue, toByteOffset: 4, as: Int64.self) }
    }

    /// Bytes between the header and the locations.
    var spilledByteCount: Int {
        has(Self.spilledBit)
            ? Self.spilledByteCount(node: spilledNode.count, url: spilledURL.count) : 0
    }

    /// The node that has the object on disk; empty when none has.
    var spilledNode: UnsafeRawBufferPointer {
        guard has(Self.spilledBit) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(
            start: bytes + Self.headerByteCount + 4, count: length(at: Self.headerByteCount))
    }

    /// Where on its disk.
    var spilledURL: UnsafeRawBufferPointer {
        guard has(Self.spilledBit) else { return UnsafeRawBufferPointer(start: nil, count: 0) }
        return UnsafeRawBufferPointer(
            start: bytes + Self.headerByteCount + 4 + spilledNode.count,
            count: length(at: Self.headerByteCount + 2))
    }

    private func length(at offset: Int) -> Int {
        Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
    }

    /// Writes where the object is spilled, nowhere with an empty URL; the locations come anew.
    func setSpilled(
        node: UnsafeBufferPointer<UInt8>, url: UnsafeBufferPointer<UInt8>, locations: [UInt32]
    ) {
        set(Self.spilledBit, !url.isEmpty)
        if !url.isEmpty {
            let start = bytes + Self.headerByteCount
            start.storeBytes(of: UInt16(node.count), as: UInt16.self)
            start.storeBytes(of: UInt16(url.count), toByteOffset: 2, as: UInt16.self)
            UnsafeMutableRawBufferPointer(start: start + 4, count: node.count).copyBytes(from: node)
            UnsafeMutableRawBufferPointer(start: start + 4 + node.count, count: url.count)
                .copyBytes(from: url)
        }
        locationCount = locations.count
        for (position, location) in locations.enumerated() { self[position] = location }
    }

    subscript(location: Int) -> UInt32 {
        get { bytes.load(fromByteOffset: offset(of: location), as: UInt32.self) }
        nonmutating set {
            bytes.storeBytes(of: newValue, toByteOffset: offset(of: location), as: UInt32.self)
        }
    }

    private func offset(of location: Int) -> Int {
        Self.headerByteCount + spilledByteCount + 4 * location
    }
}
