internal import Glibc

// Random sizes against the allocator alone: millions of operations per second, no store, no client.
// Built together with the allocator's own source: `make fragmentation`.

/// A small generator with a printable state (Steele, Lea, Flood: SplitMix64, 2014).
struct Generator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }

    mutating func below(_ limit: Int) -> Int { Int(next() % UInt64(limit)) }
    mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }
}

/// How sizes from 64 bytes to 8 MB are drawn.
enum Workload: String, CaseIterable {
    case logUniform = "log-uniform"
    case uniform
    case mixed = "half of each"
    /// Small ones, then large ones, over and over: what is left of one phase lies in the way.
    case phases

    func byteCount(_ random: inout Generator, _ step: Int) -> Int {
        switch self {
        case .logUniform: Int(64 * exp(random.unit() * log(131_072)))
        case .uniform: 64 + random.below((8 << 20) - 63)
        case .mixed: (random.below(2) == 0 ? Self.logUniform : .uniform).byteCount(&random, step)
        case .phases:
            step / 20_000 % 2 == 0
                ? 64 + random.below(64 << 10) : (1 << 20) + random.below((7 << 20) + 1)
        }
    }
}

/// Something that hands out granules of segments.
protocol Allocator: ~Copyable {
    mutating func addSegment(_ number: Int, granules: Range<Int>)
    mutating func take(_ count: Int) -> UInt32?
    mutating func giveBack(_ slot: UInt32)
}

struct Ours: Allocator, ~Copyable {
    private var blocks = BlockAllocator()

    mutating func addSegment(_ number: Int, granules: Range<Int>) {
        blocks.addSegment(number, granules: granules)
    }
    mutating func take(_ count: Int) -> UInt32? { blocks.take(count) }
    mutating func giveBack(_ slot: UInt32) { blocks.giveBack(slot, now: 0) }
}

/// Free runs in one list by address, walked from its start: slow, and what to compare packing with.
struct Walking: Allocator, ~Copyable {
    let isBestFit: Bool
    /// By address; segments are far apart.
    private var free: [Range<Int>] = []
    private var taken: [UInt32: Range<Int>] = [:]
    private var last: UInt32 = 0

    init(isBestFit: Bool) { self.isBestFit = isBestFit }

    mutating func addSegment(_ number: Int, granules: Range<Int>) {
        insert(granules.lowerBound + number << 40..<granules.upperBound + number << 40)
    }

    mutating func take(_ count: Int) -> UInt32? {
        var found: Int?
        for (index, run) in free.enumerated() where run.count >= count {
            if let known = found, free[known].count <= run.count { continue }
            found = index
            if !isBestFit { break }
        }
        guard let found else { return nil }
        let run = free[found]
        let end = run.lowerBound + count
        if end == run.upperBound {
            free.remove(at: found)
        } else {
            free[found] = end..<run.upperBound
        }
        last &+= 1
        taken[last] = run.lowerBound..<end
        return last
    }

    mutating func giveBack(_ slot: UInt32) {
        guard let run = taken.removeValue(forKey: slot) else { fatalError("given back twice") }
        insert(run)
    }

    private mutating func insert(_ run: Range<Int>) {
        var (low, high) = (0, free.count)
        while low < high {
            let middle = (low + high) / 2
            if free[middle].lowerBound < run.lowerBound { low = middle + 1 } else { high = middle }
        }
        var (start, end) = (run.lowerBound, run.upperBound)
        if low < free.count, free[low].lowerBound == end { end = free.remove(at: low).upperBound }
        if low > 0, free[low - 1].upperBound == start {
            low -= 1
            start = free.remove(at: low).lowerBound
        }
        free.insert(start..<end, at: low)
    }
}

/// What one run came to.
struct Outcome {
    var operationCount = 0
    /// Refused although 85 % of the free bytes are as many as asked for.
    var failureCount = 0
    var segmentCount = 1
    /// Bytes of all segments.
    var byteCount = 0
    /// Nanoseconds of each take.
    var times: [UInt32] = []
}

func nanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Keeps `capacity` bytes 90 % full; segments as the store's arena opens them, when `grows`.
func run<Tested: Allocator & ~Copyable>(
    _ allocator: inout Tested, _ workload: Workload, capacity: Int, seconds: Double, seed: UInt64,
    grows: Bool
) -> Outcome {
    var random = Generator(state: seed)
    var outcome = Outcome()
    let part = max(capacity / 4, 1 << 20)
    func add(_ byteCount: Int) {
        allocator.addSegment(outcome.segmentCount, granules: 1..<byteCount / 64)
        outcome.byteCount += byteCount
    }
    add(grows ? capacity + part : capacity)
    var live: [(slot: UInt32, byteCount: Int)] = []
    var used = 0
    let end = nanoseconds() + UInt64(seconds * 1e9)
    while nanoseconds() < end {
        let byteCount = workload.byteCount(&random, outcome.operationCount)
        while used + byteCount > capacity / 10 * 9, !live.isEmpty {
            live.swapAt(random.below(live.count), live.count - 1)
            let (slot, freed) = live.removeLast()
            allocator.giveBack(slot)
            used -= freed
        }
        let granules = (byteCount + 63) / 64
        let begin = nanoseconds()
        var slot = allocator.take(granules)
        outcome.times.append(UInt32(clamping: nanoseconds() - begin))
        outcome.operationCount += 1
        if slot == nil, grows {
            let wanted = max(part, (granules + 1) * 64)
            if outcome.byteCount + wanted <= 4 * capacity + (16 << 20) {
                outcome.segmentCount += 1
                add(wanted)
                slot = allocator.take(granules)
            }
        }
        if let slot {
            live.append((slot, byteCount))
            used += byteCount
        } else if Double(byteCount) <= 0.85 * Double(capacity - used) {
            outcome.failureCount += 1
        }
    }
    return outcome
}

/// One row; whether nothing failed and no take was slow.
func report(_ name: String, _ workload: Workload, _ capacity: Int, _ outcome: Outcome) -> Bool {
    let times = outcome.times.sorted()
    func at(_ share: Double) -> Double { Double(times[Int(Double(times.count - 1) * share)]) / 1000 }
    let cells = [
        name, workload.rawValue, "\(capacity >> 20)", "\(outcome.operationCount)",
        "\(outcome.failureCount)", "\(outcome.segmentCount)",
        "\(Int(Double(outcome.byteCount) / Double(capacity) * 100)) %", "\(at(0.5))", "\(at(0.999))",
        "\(at(1))",
    ]
    print("| " + cells.joined(separator: " | ") + " |")
    return outcome.failureCount == 0 && at(0.999) < 50
}

let arguments = CommandLine.arguments.dropFirst().compactMap(Double.init)
let seconds = arguments.first ?? 60
let seed = UInt64(arguments.dropFirst().first ?? 1)
let comparesOthers = CommandLine.arguments.contains("--others")
print("seed \(seed); a failed take: less than 85 % of the free bytes, and refused\n")
print(
    "| allocator | sizes | store, MB | takes | failed | segments | their bytes | p50, us | p99.9, us "
        + "| max, us |\n|---|---|---|---|---|---|---|---|---|---|")
let capacities = [64 << 20, 1 << 30, 8 << 30]
let each = seconds / Double(capacities.count * Workload.allCases.count)
var isGood = true
for capacity in capacities {
    for workload in Workload.allCases {
        var allocator = Ours()
        let outcome = run(
            &allocator, workload, capacity: capacity, seconds: each, seed: seed, grows: true)
        isGood = report("ours", workload, capacity, outcome) && isGood
        guard comparesOthers else { continue }
        for grows in [false, true] {
            for isBestFit in [false, true] {
                var walking = Walking(isBestFit: isBestFit)
                let outcome = run(
                    &walking, workload, capacity: capacity, seconds: each, seed: seed, grows: grows)
                let name = (isBestFit ? "best fit" : "first fit") + (grows ? "" : ", no reserve")
                _ = report(name, workload, capacity, outcome)
            }
        }
        var bare = Ours()
        let without = run(
            &bare, workload, capacity: capacity, seconds: each, seed: seed, grows: false)
        _ = report("ours, no reserve", workload, capacity, without)
    }
}
print("\n" + (isGood ? "ok" : "NOT REACHED"))
exit(isGood ? 0 : 1)
