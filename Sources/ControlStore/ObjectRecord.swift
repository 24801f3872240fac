/// An object's record: flags (1), unused (1), locations (2), size (8), then 4 bytes a location.
///
/// A location is the number of a node's registration; its top bit marks a secondary copy.
struct ObjectRecord {
    static let headerByteCount = 12
    static let locationCountMax = 10_000
    static let secondaryBit: UInt32 = 1 << 31
    private static let keptBit: UInt8 = 1
    private static let pinnedBit: UInt8 = 2
    private static let orphanBit: UInt8 = 4

    private let bytes: UnsafeMutableRawPointer

    init(_ payload: UnsafeMutableRawBufferPointer) {
        guard let start = payload.baseAddress else {
            preconditionFailure("an object without a record")
        }
        bytes = start
    }

    static func byteCount(locationCount: Int) -> Int { headerByteCount + 4 * locationCount }

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

    private func has(_ bit: UInt8) -> Bool { bytes.load(as: UInt8.self) & bit != 0 }

    private func set(_ bit: UInt8, _ isOn: Bool) {
        let flags = bytes.load(as: UInt8.self)
        bytes.storeBytes(of: isOn ? flags | bit : flags & ~bit, as: UInt8.self)
    }

    var locationCount: Int {
        get { Int(bytes.load(fromByteOffset: 2, as: UInt16.self)) }
        nonmutating set { bytes.storeBytes(of: UInt16(newValue), toByteOffset: 2, as: UInt16.self) }
    }

    /// Bytes of the object, metadata included.
    var size: Int64 {
        get { bytes.loadUnaligned(fromByteOffset: 4, as: Int64.self) }
        nonmutating set { bytes.storeBytes(of: newValue, toByteOffset: 4, as: Int64.self) }
    }

    subscript(location: Int) -> UInt32 {
        get { bytes.load(fromByteOffset: Self.headerByteCount + 4 * location, as: UInt32.self) }
        nonmutating set {
            bytes.storeBytes(
                of: newValue, toByteOffset: Self.headerByteCount + 4 * location, as: UInt32.self)
        }
    }
}
