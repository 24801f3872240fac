import Foundation
import Identifiers

@testable import Commands
@testable import ControlStore

/// Random commands about few things, so that they meet.
struct RandomCommands {
    /// Commands of one turn: what is told at once and what is told last meet in it.
    func turn(_ random: inout SeededRandom) -> [UInt8] {
        let count = Int.random(in: 0..<4, using: &random) == 0 ? 8 : 1
        return (0..<count).flatMap { _ in Array((command(&random) + "\r\n").utf8) }
    }

    private func command(_ random: inout SeededRandom) -> String {
        let batch = batch(&random)
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<10: return start(batch, &random)
        case 10..<30: return task(&random)
        case 30..<45:
            return "GCS.OBJECT ADD \(object(&random)) n\(Int.random(in: 0..<4, using: &random)) 9"
        case 45..<49: return "GCS.BATCH KEEP \(batch) \(object(&random)) \(object(&random, batch))"
        case 49..<53: return "GCS.BATCH TRANSFER \(batch) \(object(&random)) \(object(&random))"
        case 53..<56: return "GCS.OBJECT PIN \(object(&random)) \(object(&random))"
        case 56..<60: return "GCS.OBJECT UNPIN \(object(&random)) \(object(&random))"
        case 60..<63: return "GCS.BATCH DEPEND \(batch) \(self.batch(&random))"
        case 63..<66:
            let word =
                ["OBJECT:\(object(&random))", "TASK:\(task(id: &random))"]
                .randomElement(using: &random) ?? ""
            return "SADD GC:\(batch) \(word)"
        case 66..<68: return "SREM GC:\(batch) OBJECT:\(object(&random, batch))"
        case 68..<72:
            let how = ["", "RECURSIVE ", "TASKS ", "RECURSIVE TASKS "].randomElement(using: &random)
            return "GCS.OBJECT FREE \(how ?? "")\(object(&random)) \(object(&random))"
        case 72..<75:
            let state = ["RUNNING", "FINISHED", "PENDING"].randomElement(using: &random)
            return "GCS.TASK STATE \(task(id: &random)) \(state ?? "")"
        case 75..<78: return "PEXPIRE GC:\(batch) \(Int.random(in: 1...600, using: &random))"
        case 78..<82: return "GCS.BATCH END \(batch)" + (batch % 5 == 0 ? " NOGC" : "")
        case 82: return "GCS.BATCH DESTROY \(batch)"
        case 83: return "DEL GC:\(batch)"
        case 84: return "DEL TASK:\(task(id: &random))"
        case 85: return "GCS.ACTOR CHECKPOINT \(actor(&random)) \(task(id: &random))"
        case 87: return "GCS.OBJECT SPILLED \(object(&random)) n2 /spill/a?offset=0&size=9"
        case 86: return "GCS.OBJECT REMOVE \(object(&random)) n1"
        default: return rare(&random)
        }
    }

    private func rare(_ random: inout SeededRandom) -> String {
        let node = "n\(Int.random(in: 0..<4, using: &random))"
        let process = Int.random(in: 1...3, using: &random)
        let types = ["LOCAL_REFERENCE", "PINNED_IN_MEMORY", "ACTOR_HANDLE"]
        let type = types.randomElement(using: &random) ?? ""
        switch Int.random(in: 0..<20, using: &random) {
        case 0..<2: return "GCS.NODE REGISTER \(node) ADDRESS here STORE /tmp/s"
        case 2..<4: return "GCS.NODE ACK \(node) \(MemoryServer.start / 1000)-0"
        case 4: return "GCS.NODE REMOVE \(node)"
        case 5: return "GCS.REF CLEAR \(node)"
        case 6: return "GCS.REF CLEAR \(node) \(process)"
        case 7..<9: return "GCS.REF REMOVE \(node) \(process) \(type) \(object(&random))"
        case 9:
            return Int.random(in: 0..<20, using: &random) == 0 ? "FLUSHALL" : "PING"
        default:
            return "GCS.REF ADD \(node) \(process) \(type) \(object(&random)) BYTES 9 SITE here"
        }
    }

    private func start(_ batch: Int, _ random: inout SeededRandom) -> String {
        var text = "GCS.BATCH START ID \(batch) PARENT \(self.batch(&random)) NAME b\(batch)"
        if Int.random(in: 0..<4, using: &random) == 0 { text += " TIMEOUT 1" }
        if Int.random(in: 0..<6, using: &random) == 0 { text += " NOCLEANUP" }
        return text
    }

    private func task(_ random: inout SeededRandom) -> String {
        let size = Int.random(in: 1...200, using: &random)
        var text = "GCS.TASK ADD \(task(id: &random)) \(String(repeating: "x", count: size))"
        if Int.random(in: 0..<2, using: &random) == 0 { text += " STATE FINISHED" }
        if Int.random(in: 0..<3, using: &random) == 0 { text += " ACTOR \(actor(&random))" }
        if Int.random(in: 0..<3, using: &random) == 0 {
            text += " ARGS 2 \(object(&random)) \(object(&random))"
        }
        return text
    }

    private func batch(_ random: inout SeededRandom) -> Int {
        Int.random(in: 0...12, using: &random)
    }

    func id(_ batch: Int, _ unique: Int, _ index: Int) -> String {
        "\(RecordID(batch: BatchID(rawValue: Int64(batch)), unique: UInt64(unique), index: UInt32(index)))"
    }

    private func object(_ random: inout SeededRandom, _ batch: Int? = nil) -> String {
        id(
            batch ?? self.batch(&random), Int.random(in: 0..<12, using: &random),
            Int.random(in: 1...2, using: &random))
    }

    private func task(id random: inout SeededRandom) -> String {
        id(batch(&random), Int.random(in: 0..<12, using: &random), 0)
    }

    private func actor(_ random: inout SeededRandom) -> String {
        id(0, Int.random(in: 0..<4, using: &random), 0)
    }
}

/// splitmix64: the same seed gives the same run on every machine.
struct SeededRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed }

    /// The seeds that a test runs: the first `count`, or `SEEDS=n`; a failure names its seed.
    static func seeds(_ count: UInt64) -> Range<UInt64> {
        0..<(ProcessInfo.processInfo.environment["SEEDS"].flatMap { UInt64($0) } ?? count)
    }

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
        return mixed ^ (mixed >> 31)
    }
}
