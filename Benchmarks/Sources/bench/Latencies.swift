import Foundation

/// Sorted times in milliseconds.
struct Times {
    var sorted: [Double]

    func at(_ share: Double) -> Double {
        sorted.isEmpty ? 0 : sorted[min(Int(share * Double(sorted.count)), sorted.count - 1)]
    }
}

/// Asks PING every millisecond on a thread and a connection of its own.
///
/// The thread goes before others where that is allowed: what is measured is how long the server takes, not
/// how long a client waits for a processor that it shares with the one that loads.
struct Latencies {
    let server: ServerProcess

    /// What one PING took, and what the server's loop did meanwhile; in milliseconds.
    struct Sample {
        var time: Double
        /// When it was sent.
        var start: UInt64
        /// While it was under way, a processor ran nobody: see `Stops`.
        var stopped = 0.0
        /// On a processor.
        var running: Double
        /// Ready to run, but waiting for a processor; the pinger's own waiting included.
        var waiting: Double
    }

    /// All answers of a time.
    struct Samples {
        var all: [Sample]

        var times: Times { Times(sorted: all.map(\.time).sorted()) }
        /// Without what other threads and programs took the processor for.
        var timesWithoutWaiting: Times { Times(sorted: all.map { max($0.time - $0.waiting, 0) }.sorted()) }
        /// Without what the machine's host took the processors for.
        var timesWithoutStops: Times { Times(sorted: all.map { max($0.time - $0.stopped, 0) }.sorted()) }
        /// What the loop itself ran while a PING was under way: one or two of its turns.
        var timesRunning: Times { Times(sorted: all.map(\.running).sorted()) }
        /// What was seen of the processors meanwhile.
        var stops: Stops.Seen
        /// The longest ones: time, of that the loop running, the loop waiting, a processor stopped.
        var longest: String {
            all.sorted { $0.time > $1.time }.prefix(5)
                .map {
                    "\($0.time.text(2)) (\($0.running.text(2)), \($0.waiting.text(2)), \($0.stopped.text(2)))"
                }.joined(separator: ", ")
        }
    }

    private final class State: @unchecked Sendable {
        let lock = NSLock()
        var isDone = false
        var samples: [Sample] = []
    }

    /// The times of all answers while `body` runs, and for at least so long.
    func measure(seconds: Double, _ body: () throws -> Void) throws -> Samples {
        nonisolated(unsafe) let connection = try Connection(port: server.port)
        let state = State()
        let stops = Stops()
        let finished = DispatchSemaphore(value: 0)
        let loop = LoopTime.Source(server.identifier)
        Thread.detachNewThread {
            var priority = sched_param(sched_priority: 2)
            pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority)
            let own = LoopTime.Source(nil)
            while !state.lock.withLock({ state.isDone }) {
                let sample = Self.sample(connection, loop, own)
                state.lock.withLock { state.samples.append(sample) }
                if sample.time < 1 { usleep(UInt32((1 - sample.time) * 1000)) }
            }
            finished.signal()
        }
        let start = Date()
        try body()
        let left = seconds - Date().timeIntervalSince(start)
        if left > 0 { usleep(UInt32(left * 1e6)) }
        state.lock.withLock { state.isDone = true }
        finished.wait()
        let seen = stops.end()
        return Samples(
            all: state.samples.map { sample in
                var sample = sample
                sample.stopped = seen.milliseconds(from: sample.start, sample.time)
                return sample
            }, stops: seen)
    }

    private static func sample(_ connection: Connection, _ loop: LoopTime.Source, _ own: LoopTime.Source) -> Sample {
        let (loopBefore, ownBefore) = (loop.time, own.time)
        let start = DispatchTime.now().uptimeNanoseconds
        _ = connection.command(["PING"])
        let time = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e6
        let (loopSpent, ownSpent) = (loop.time - loopBefore, own.time - ownBefore)
        // The system adds up what a thread runs at its ticks, up to 4 ms late.
        return Sample(
            time: time, start: start, running: min(loopSpent.running * 1000, time), waiting: (loopSpent.waiting + ownSpent.waiting) * 1000)
    }
}

/// What the system tells of a thread.
struct LoopTime {
    /// Seconds on a processor.
    var running = 0.0
    /// Seconds in which it could have run, and waited for a processor.
    var waiting = 0.0

    /// Tells it of a process' first thread, or of the calling one.
    struct Source: Sendable {
        private let descriptor: Int32

        /// `nil`: the calling thread.
        init(_ process: Int32?) {
            descriptor = open(process.map { "/proc/\($0)/task/\($0)/schedstat" } ?? "/proc/thread-self/schedstat", O_RDONLY)
        }

        var time: LoopTime {
            withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 128) { buffer in
                let count = pread(descriptor, buffer.baseAddress, 128, 0)
                var numbers = [0.0, 0.0]
                var place = 0
                for byte in buffer.prefix(max(count, 0)) {
                    if byte == 32 { place += 1 } else if place < 2, byte > 47 {
                        numbers[place] = numbers[place] * 10 + Double(byte - 48)
                    }
                }
                return LoopTime(running: numbers[0] / 1e9, waiting: numbers[1] / 1e9)
            }
        }
    }

    static func - (first: LoopTime, second: LoopTime) -> LoopTime {
        LoopTime(running: first.running - second.running, waiting: first.waiting - second.waiting)
    }
}
