public import Identifiers

extension RecordID {
    /// The id of a return value of this task.
    ///
    /// - Parameter index: 1 for the first one; below 2^31.
    public func output(_ index: UInt32) -> RecordID {
        precondition((1..<1 << 31).contains(index), "an output is 1 to 2^31-1, found \(index)")
        return RecordID(batch: batch, unique: unique, index: index)
    }

    /// An id of a task that no one else has.
    static func newTask(in batch: BatchID) -> RecordID {
        // At random, since other processes make ids in the same batch: with 64 bits a billion of
        // them collide with a chance of 1 in 37.
        RecordID(batch: batch, unique: .random(in: 1...(.max)), index: 0)
    }

    /// An id of an object put by hand that no one else has.
    static func newPut(in batch: BatchID) -> RecordID {
        // With 31 random bits of the index on top.
        RecordID(
            batch: batch, unique: .random(in: 1...(.max)),
            index: .random(in: 1 << 31...(.max)))
    }
}
