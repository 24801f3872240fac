/// Batches by the time they end at, soonest first, and of the same time by id; each knows its place, so
/// that a lease renewed a million times is one entry.
struct DeadlineHeap: ~Copyable {
    private var batches: UnsafeMutablePointer<BatchPointer>
    private var capacity = 64
    private(set) var count = 0

    init() { batches = .allocate(capacity: capacity) }

    deinit { batches.deallocate() }

    /// The batch whose time comes first.
    var first: BatchPointer? { count > 0 ? batches[0] : nil }

    /// Files a batch by its `deadline`, anew when it changed.
    mutating func update(_ batch: BatchPointer) {
        if batch.pointee.timerPosition == none {
            if count == capacity { grow() }
            (batches + count).initialize(to: batch)
            batch.pointee.timerPosition = UInt32(count)
            count += 1
        }
        settle(Int(batch.pointee.timerPosition))
    }

    mutating func remove(_ batch: BatchPointer) {
        guard batch.pointee.timerPosition != none else { return }
        let position = Int(batch.pointee.timerPosition)
        batch.pointee.timerPosition = none
        count -= 1
        guard position < count else { return }
        put(batches[count], at: position)
        settle(position)
    }

    private func put(_ batch: BatchPointer, at position: Int) {
        batches[position] = batch
        batch.pointee.timerPosition = UInt32(position)
    }

    private func settle(_ start: Int) {
        var position = start
        let batch = batches[position]
        while position > 0, Self.isBefore(batch, batches[(position - 1) / 2]) {
            put(batches[(position - 1) / 2], at: position)
            position = (position - 1) / 2
        }
        while true {
            var child = 2 * position + 1
            guard child < count else { break }
            if child + 1 < count, Self.isBefore(batches[child + 1], batches[child]) { child += 1 }
            guard Self.isBefore(batches[child], batch) else { break }
            put(batches[child], at: position)
            position = child
        }
        put(batch, at: position)
    }

    private static func isBefore(_ one: BatchPointer, _ other: BatchPointer) -> Bool {
        (one.pointee.deadline, one.pointee.id) < (other.pointee.deadline, other.pointee.id)
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<BatchPointer>.allocate(capacity: capacity * 2)
        larger.moveInitialize(from: batches, count: count)
        batches.deallocate()
        batches = larger
        capacity *= 2
    }
}
