internal import CSystem
internal import Glibc

/// Processors that a thread may run on.
public struct ProcessorSet: Equatable, Sendable {
    /// The highest number and one: as many as the C library's sets hold.
    public static let capacity = 1024

    private var words = [UInt](repeating: 0, count: capacity / UInt.bitWidth)

    /// Of these numbers; each is below `capacity`.
    public init(_ processors: some Sequence<Int>) {
        for processor in processors {
            words[processor / UInt.bitWidth] |= 1 << UInt(processor % UInt.bitWidth)
        }
    }

    /// Where the calling thread may run; `nil` when the system does not say, or has more processors than this.
    public static var current: ProcessorSet? {
        var set = ProcessorSet([])
        return gcs_get_processors(&set.words, set.byteCount) == 0 ? set : nil
    }

    /// The processor that the calling thread runs on; less than 0 when the system does not say.
    public static var ofThread: Int32 { gcs_processor() }

    /// Whether a processor is among them; a number that is none is not.
    public func contains(_ processor: Int) -> Bool {
        guard 0..<Self.capacity ~= processor else { return false }
        return words[processor / UInt.bitWidth] >> UInt(processor % UInt.bitWidth) & 1 == 1
    }

    /// Whether none is in both.
    public func isDisjoint(with other: ProcessorSet) -> Bool {
        zip(words, other.words).allSatisfy { $0 & $1 == 0 }
    }

    /// Has the calling thread, and threads that it starts from now on, run on these only.
    ///
    /// - Returns: 0, or the `errno`: `EINVAL` when the thread may use none of them.
    @discardableResult
    public func apply() -> Int32 { gcs_set_processors(words, byteCount) == 0 ? 0 : errno }

    private var byteCount: Int { words.count * MemoryLayout<UInt>.size }
}
