import Testing

@testable import ControlStore

extension Region {
    /// Whether every reference leads to a record in a slab that is there, and the sums are right.
    func invariantsHold() -> Bool {
        var live: [UInt32: Int] = [:]
        var isWhole = true
        var position: UInt64 = 0
        while position < 1 << 32 {
            position = index.walk(from: position) { reference in
                guard let slab = slabs?[Int(reference >> 17)], slab.base != nil else {
                    isWhole = false
                    return
                }
                live[reference >> 17, default: 0] += Region.byteCount(
                    meta: Region.meta(entry(reference)))
            }
        }
        for number in 0..<slabCount {
            let counted = Int(slabs?[Int(number)].liveByteCount ?? 0)
            if counted != live[number, default: 0] { isWhole = false }
        }
        return isWhole && live.values.reduce(0, +) == liveByteCount
    }
}

extension ControlStore {
    /// What came of work that may go on in slices.
    mutating func wait(for result: (count: Int, rest: Job?)) -> Int {
        guard let rest = result.rest else { return result.count }
        while !rest.isDone { _ = advanceJobs() }
        return rest.result
    }

    /// Whether all tables are sound; for tests, after each step.
    func invariantsHold() -> Bool {
        guard estate.invariantsHold() else { return false }
        for slot in 0..<batches.slotCount {
            if let batch = batches.batch(atSlot: slot), !batch.pointee.region.invariantsHold() {
                return false
            }
        }
        return true
    }
}
