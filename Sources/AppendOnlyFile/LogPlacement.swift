internal import Glibc
internal import Platform

/// Where the log's thread runs while replies wait for it: where the system puts it, or on the loop's processor.
///
/// An interrupt of the disk wakes the thread, and the system likes to leave it where that came: perhaps where
/// clients are at work, while the loop's processor has room. It does not move a thread for waits as short as these.
/// So, when the thread waits, both places are tried for a moment, and the one where more is written is kept.
struct LogPlacement: ~Copyable {
    /// The loop's processor, and where the thread could run before it was put there; `nil` while it runs where the
    /// system puts it.
    private var place: (processor: Int32, before: ProcessorSet)?
    /// Microseconds at which the present look began, and bytes written since.
    private var look: (start: Int64, byteCount: Int) = (0, 0)
    /// Bytes per microsecond in the look before.
    private var rate = 0.0
    private var isTrying = false
    private var looksLeft = 1
    /// Nanoseconds that the thread had run, and waited for a processor, at the last look.
    private var times: (ran: Int, waited: Int) = (0, 0)
    private let schedule: Int32

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
        if let place, loopProcessor != place.processor { follow(loopProcessor, place.before) }
        let microseconds = now - look.start
        guard microseconds >= Self.lookMicroseconds else { return }
        let found = Double(look.byteCount) / Double(microseconds)
        look = (now, 0)
        let isWaiting = isWaiting()
        // After a rest nothing is known.
        guard microseconds < 2 * Self.lookMicroseconds else { return leave() }
        if isTrying {
            isTrying = false
            if found < rate * Self.margin { _ = move(loopProcessor) }
            return
        }
        rate = found
        looksLeft -= 1
        guard looksLeft <= 0 else { return }
        looksLeft = Self.lookCount
        guard place != nil || isWaiting else { return }
        isTrying = move(loopProcessor)
    }

    /// Leaves the thread to the system.
    mutating func leave() {
        if let place { goBack(to: place.before) }
        (isTrying, looksLeft) = (false, 1)
    }

    /// Goes to the other place; whether it may.
    private mutating func move(_ loopProcessor: Int32) -> Bool {
        if let place {
            goBack(to: place.before)
            return true
        }
        guard let before = ProcessorSet.current else { return false }
        return goBeside(loopProcessor, before)
    }

    private mutating func goBeside(_ loopProcessor: Int32, _ before: ProcessorSet) -> Bool {
        guard before.contains(Int(loopProcessor)), ProcessorSet([Int(loopProcessor)]).apply() == 0
        else { return false }
        place = (loopProcessor, before)
        return true
    }

    private mutating func goBack(to before: ProcessorSet) {
        if isWherePut { before.apply() }
        place = nil
    }

    /// Goes where the loop went.
    private mutating func follow(_ loopProcessor: Int32, _ before: ProcessorSet) {
        guard isWherePut else { return place = nil }
        if !goBeside(loopProcessor, before) { goBack(to: before) }
    }

    /// Whether nobody has put the thread elsewhere meanwhile: who did has the last word.
    private var isWherePut: Bool {
        guard let place else { return false }
        return ProcessorSet.current == ProcessorSet([Int(place.processor)])
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
