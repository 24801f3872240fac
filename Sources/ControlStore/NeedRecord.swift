/// Which batches have tasks that still need an object: slot, generation and such tasks, 12 bytes a batch.
///
/// Hidden: no command lists it. When a batch has gone, its generation is another, and its entry is void.
struct NeedRecord {
    struct Entry {
        var slot: UInt32
        var generation: UInt32
        var count: UInt32
    }

    static let entryByteCount = 12
    /// Batches that need one object at a time; with more, the object counts as needed for good.
    static let batchCountMax = 2048
    /// Stands for the batches of an object that too many of them need.
    static let endless = Entry(slot: none, generation: 0, count: 1)

    private let bytes: UnsafeMutableRawPointer
    let count: Int

    init(_ payload: UnsafeMutableRawBufferPointer) {
        guard let start = payload.baseAddress else {
            preconditionFailure("an object's needs without a record")
        }
        bytes = start
        count = payload.count / Self.entryByteCount
    }

    subscript(position: Int) -> Entry {
        get { bytes.load(fromByteOffset: position * Self.entryByteCount, as: Entry.self) }
        nonmutating set {
            bytes.storeBytes(
                of: newValue, toByteOffset: position * Self.entryByteCount, as: Entry.self)
        }
    }

    var isEndless: Bool { count == 1 && self[0].slot == none }

    /// The entry of a batch.
    func position(slot: UInt32, generation: UInt32) -> Int? {
        for position in 0..<count {
            let entry = self[position]
            if entry.slot == slot, entry.generation == generation { return position }
        }
        return nil
    }
}
