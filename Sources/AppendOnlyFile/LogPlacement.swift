internal import CSystem
internal import Glibc

/// Where the log's thread runs while replies wait for it: where the system puts it, or on the loop's processor.
///
/// An interrupt of the disk wakes the thread, and the system likes to leave it where that came: perhaps where
/// clients are at work, while the loop's processor has room. It does not move a thread for waits as short as these.
/// So, when the thread waits, both places are tried for a moment, and the one where more is written is kept.
struct LogPlacement: ~Copyable {
    private enum Place {
        case anywhere
        case besideLoop
    }

    private var place = Place.anywhere
    /// The loop's processor, when the thread was put there.
    private var processor: Int32 = -1
    /// Where the thread may run at all, one bit for each processor.
    private var allowed = [UInt](repeating: 0, count: Self.maskWordCount)
    /// Microseconds at which the present look began, and bytes written since.
    private var look: (start: Int64, byteCount: Int) = (0, 0)
    /// Bytes per microsecond in the look before.
    private var rate = 0.0
    private var isTrying = false
    private var looksLeft = 1
    /// Nanoseconds that the thread had run, and waited for a processor, at the last look.
    private var times: (ran: Int, waited: Int) = (0, 0)
    private let schedule: Int32

    /// 1,024 processors; with more of them the thread stays where it is.
    private static let maskWordCount = 16
    private static let maskByteCount = maskWordCount * MemoryLayout<UInt>.size
    private static let lookMicroseconds: Int64 = 80_000
    /// Looks after which the other place is tried again.
    private static let lookCount = 25
    /// What the other place has to be better by.
    private static let margin = 1.05

    /// Begins where the system puts the thread; call it on that.
    init() { schedule = open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC) }

    deinit { if schedule >= 0 { close(schedule) } }

    /// Goes on after a turn of the thread.
    ///
    /// - Parameters:
    ///   - now: microseconds of a clock that never jumps.
    ///   - byteCount: bytes written in the turn.
    ///   - loopProcessor: where the loop was of late.
    mutating func turn(_ now: Int64, _ byteCount: Int, loopProcessor: Int32) {
        look.byteCount += byteCount
        if place == .besideLoop, loopProcessor != processor { follow(loopProcessor) }
        let microseconds = now - look.start
        guard microseconds >= Self.lookMicroseconds else { return }
        let found = Double(look.byteCount) / Double(microseconds)
        look = (now, 0)
        let isWaiting = isWaiting()
        // After a rest nothing is known.
        guard microseconds < 2 * Self.lookMicroseconds else { return leave() }
        if isTrying {
            isTrying = false
            if found < rate * Self.margin { move(loopProcessor) }
            return
        }
        rate = found
        looksLeft -= 1
        guard looksLeft <= 0 else { return }
        looksLeft = Self.lookCount
        guard place == .besideLoop || isWaiting else { return }
        isTrying = true
        move(loopProcessor)
    }

    /// Leaves the thread to the system.
    mutating func leave() {
        if place == .besideLoop { move(-1) }
        (isTrying, looksLeft) = (false, 1)
    }

    /// Goes to the other place.
    private mutating func move(_ loopProcessor: Int32) {
        switch place {
        case .anywhere:
            guard gcs_get_processors(&allowed, Self.maskByteCount) == 0 else { return }
            place = .besideLoop
            follow(loopProcessor)
        case .besideLoop:
            place = .anywhere
            _ = gcs_set_processors(allowed, Self.maskByteCount)
        }
    }

    private mutating func follow(_ loopProcessor: Int32) {
        processor = loopProcessor
        let (word, bit) = (Int(loopProcessor) / UInt.bitWidth, Int(loopProcessor) % UInt.bitWidth)
        guard loopProcessor >= 0, word < Self.maskWordCount else { return }
        var mask = [UInt](repeating: 0, count: Self.maskWordCount)
        mask[word] = 1 << UInt(bit)
        // Where it may not run it does not go.
        _ = gcs_set_processors(mask, Self.maskByteCount)
    }

    /// Whether the thread had to wait for a processor for more than a quarter of the time that it ran.
    ///
    /// - Source: proc(5), schedstat: nanoseconds run, nanoseconds waited, turns.
    private mutating func isWaiting() -> Bool {
        var text = [UInt8](repeating: 0, count: 80)
        let count = pread(schedule, &text, text.count, 0)
        guard count > 0 else { return false }
        let numbers = text[..<count].split(separator: UInt8(ascii: " ")).compactMap {
            Int(String(decoding: $0, as: UTF8.self))
        }
        guard numbers.count >= 2 else { return false }
        let (ran, waited) = (numbers[0] - times.ran, numbers[1] - times.waited)
        times = (numbers[0], numbers[1])
        return waited * 4 > ran
    }
}
