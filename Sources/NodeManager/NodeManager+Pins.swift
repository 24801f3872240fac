public import Identifiers
internal import RESP

extension NodeManager {
    /// An object and the processes that use it; none once nobody does.
    public struct Pin: Equatable, Sendable {
        /// The object.
        public var id: RecordID
        /// Its bytes.
        public var byteCount: Int64
        /// Each process once.
        public var processes: [Int32]

        /// A pin from its parts.
        public init(id: RecordID, byteCount: Int64, processes: [Int32]) {
            self.id = id
            self.byteCount = byteCount
            self.processes = processes
        }
    }

    /// A part of what the store tells of who uses what.
    public struct PinReport: Equatable, Sendable {
        /// For the next question.
        public var sequence: Int64
        /// Whether a full report begins here.
        public var isAnew: Bool
        /// Whether there is more to tell at once.
        public var hasMore: Bool
        /// What changed.
        public var pins: [Pin]

        /// A report from its parts.
        public init(sequence: Int64, isAnew: Bool, hasMore: Bool, pins: [Pin]) {
            self.sequence = sequence
            self.isAnew = isAnew
            self.hasMore = hasMore
            self.pins = pins
        }
    }
}

/// Who uses which object, as the store told it and as the server knows it.
///
/// Each object waits once, however often it changes: what is sent is what holds then.
struct PinMirror {
    private struct Entry {
        var byteCount: Int64 = 0
        var processes: [Int32] = []
        /// Those that the server was told of.
        var reported: [Int32] = []
        var isQueued = false
    }

    private var entries: [RecordID: Entry] = [:]
    private var waiting = Queue<RecordID>()
    /// During a full report, those that it did not name yet.
    private var unnamed: Set<RecordID>?
    /// What the store's last answer gave, for the next question.
    var sequence: Int64 = 0
    /// When the store was last asked.
    var askedAt: Int64 = 0
    var isAsking = false
    /// Reports sent and not answered.
    var underWayCount = 0

    /// Whether the server knows everything.
    var isEmpty: Bool { waiting.isEmpty && underWayCount == 0 }

    mutating func take(_ report: NodeManager.PinReport) {
        if report.isAnew { unnamed = Set(entries.keys) }
        for pin in report.pins {
            unnamed?.remove(pin.id)
            set(pin.id, pin.byteCount, pin.processes)
        }
        guard !report.hasMore, let gone = unnamed else { return }
        unnamed = nil
        for id in gone { set(id, 0, []) }
    }

    /// Nobody uses anything any more: the store is gone.
    mutating func releaseAll() {
        (sequence, isAsking, unnamed) = (0, false, nil)
        for id in entries.keys { set(id, 0, []) }
    }

    private mutating func set(_ id: RecordID, _ byteCount: Int64, _ processes: [Int32]) {
        var entry = entries[id] ?? Entry()
        entry.byteCount = byteCount
        entry.processes = processes
        if !entry.isQueued { waiting.append(id) }
        entry.isQueued = true
        entries[id] = entry
    }

    /// The server knows nothing: it forgets a node's pins when the node registers.
    mutating func forgetReported() {
        waiting.removeAll()
        underWayCount = 0
        entries = entries.filter { !$0.value.processes.isEmpty }
        for id in entries.keys {
            entries[id]?.reported = []
            entries[id]?.isQueued = true
            waiting.append(id)
        }
    }

    /// Takes an object out whose processes the server is to be told.
    mutating func next() -> (id: RecordID, byteCount: Int64, new: [Int32], old: [Int32])? {
        while let id = waiting.popFirst() {
            guard var entry = entries[id] else { continue }
            entry.isQueued = false
            let new = entry.processes.filter { !entry.reported.contains($0) }
            let old = entry.reported.filter { !entry.processes.contains($0) }
            entry.reported = entry.processes
            entries[id] = entry.processes.isEmpty ? nil : entry
            if !new.isEmpty || !old.isEmpty { return (id, entry.byteCount, new, old) }
        }
        return nil
    }
}

extension NodeManager {
    /// Asks the store who uses what, when it is time to, and how it uses its memory.
    mutating func askForPins() {
        guard store.phase != .lost, now - pins.askedAt >= configuration.pinPeriod.milliseconds
        else { return }
        pins.askedAt = now
        if !isUsageAsked { outputs.append(.askUsage) }
        isUsageAsked = true
        guard !pins.isAsking else { return }
        pins.isAsking = true
        outputs.append(.askPins(sequence: pins.sequence))
    }

    mutating func usageTold(_ fields: [String]) {
        guard store.phase != .lost else { return }
        isUsageAsked = false
        usage = fields
    }

    mutating func pinsTold(_ report: PinReport) {
        guard store.phase != .lost else { return }
        pins.isAsking = false
        pins.sequence = report.sequence
        pins.take(report)
        guard report.hasMore else { return }
        pins.isAsking = true
        outputs.append(.askPins(sequence: pins.sequence))
    }

    mutating func pumpPins() {
        guard server.phase == .steady else { return }
        while pins.underWayCount < configuration.reportWindowCount, let change = pins.next() {
            let size = ["BYTES", "\(change.byteCount)"]
            for process in change.new { send(.pin, pinWords("ADD", process, change.id) + size) }
            for process in change.old { send(.pin, pinWords("REMOVE", process, change.id)) }
            pins.underWayCount += change.new.count + change.old.count
        }
    }

    private func pinWords(_ verb: String, _ process: Int32, _ id: RecordID) -> [String] {
        let number = UInt32(bitPattern: process)
        return ["GCS.REF", verb, configuration.nodeID, "\(number)", "PINNED_IN_MEMORY", "\(id)"]
    }

    mutating func pinAnswered(_ reply: ControlReply) {
        pins.underWayCount -= 1
        guard let line = reply.errorLine, !arePinsRefused else { return }
        arePinsRefused = true
        say(.warning, "server refused what the store tells of pins: \(line)")
    }
}
