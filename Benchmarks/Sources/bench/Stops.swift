import Foundation

/// When a processor runs nobody, though somebody who goes before all others is to run there: its machine's host has
/// taken it away, or the system's kernel does something that it does not interrupt.
///
/// A thread on each processor wants to run each half millisecond. How much later it runs is the time of a stop. The
/// system's own count of what the host took ("steal") is told beside it, in steps of 10 ms.
///
/// - Source of the latter: proc(5), /proc/stat.
final class Stops: @unchecked Sendable {
    private let lock = NSLock()
    private var isDone = false
    private var found: [Stop] = []
    private let ended = DispatchGroup()
    private let stolenBefore = Stops.stolenSeconds()

    /// Nanoseconds of the clock that never jumps.
    struct Stop {
        var start: UInt64
        var end: UInt64
        var processor: Int
    }

    /// All stops of a time, in their order.
    struct Seen {
        var stops: [Stop]
        /// Seconds that the host took of each processor, as the system tells.
        var stolenSeconds: [Double]

        /// Milliseconds of a time in which some processor was stopped.
        func milliseconds(from start: UInt64, _ milliseconds: Double) -> Double {
            let end = start + UInt64(milliseconds * 1e6)
            var (low, high) = (0, stops.count)
            // None that begins earlier than this lasts until then.
            let first = start - min(start, Stops.longest)
            while low < high {
                let middle = (low + high) / 2
                if stops[middle].start < first { low = middle + 1 } else { high = middle }
            }
            var (sum, covered) = (0, start)
            for stop in stops[low...] {
                guard stop.start < end else { break }
                let from = max(stop.start, covered)
                let until = min(stop.end, end)
                if until > from {
                    sum += Int(until - from)
                    covered = until
                }
            }
            return Double(sum) / 1e6
        }

        /// Of each processor: their number, and what they took; what the host took.
        var text: String {
            stolenSeconds.indices.map { processor in
                let times = stops.filter { $0.processor == processor }.map { Double($0.end - $0.start) / 1e6 }
                let sum = times.reduce(0, +) / 1000
                return "processor \(processor): \(times.count), \(times.count { $0 > 1 }) of more than 1 ms, the "
                    + "longest \((times.max() ?? 0).text(1)) ms, all \(sum.text(2)) s; the host took "
                    + "\(stolenSeconds[processor].text(2)) s"
            }.joined(separator: "; ")
        }
    }

    private static let period: UInt64 = 500_000
    /// Less is the time that it takes to wake.
    private static let shortest: UInt64 = 100_000
    private static let longest: UInt64 = 1_000_000_000

    /// Begins to watch all processors, if it may go before others.
    init() {
        for processor in 0..<ProcessInfo.processInfo.activeProcessorCount {
            ended.enter()
            Thread.detachNewThread { [self] in
                watch(processor)
                ended.leave()
            }
        }
    }

    /// Ends; what was seen.
    func end() -> Seen {
        lock.withLock { isDone = true }
        ended.wait()
        return Seen(
            stops: found.sorted { $0.start < $1.start }, stolenSeconds: zip(Self.stolenSeconds(), stolenBefore).map(-))
    }

    private func watch(_ processor: Int) {
        var priority = sched_param(sched_priority: 50)
        guard ServerProcess.pinThread(processor: processor),
            pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) == 0
        else { return }
        var own: [Stop] = []
        own.reserveCapacity(1 << 16)
        var next = DispatchTime.now().uptimeNanoseconds + Self.period
        while !lock.withLock({ isDone }) {
            var time = timespec(tv_sec: Int(next / 1_000_000_000), tv_nsec: Int(next % 1_000_000_000))
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nil)
            let now = DispatchTime.now().uptimeNanoseconds
            if now > next + Self.shortest { own.append(Stop(start: next, end: now, processor: processor)) }
            next = max(next + Self.period, now + Self.period / 2)
        }
        lock.withLock { found += own }
    }

    private static func stolenSeconds() -> [Double] {
        let text = (try? String(contentsOfFile: "/proc/stat", encoding: .utf8)) ?? ""
        // cpu<n> user nice system idle iowait irq softirq steal
        let rows = text.split(separator: "\n").map { $0.split(separator: " ") }
        let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
        return rows.compactMap { row in
            guard row.count > 8, row[0].hasPrefix("cpu"), row[0] != "cpu" else { return nil }
            return (Double(row[8]) ?? 0) / ticks
        }
    }
}
