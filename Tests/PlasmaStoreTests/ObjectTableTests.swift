import Identifiers
import Testing

@testable import PlasmaStore

@Suite struct ObjectTableTests {
    @Test("finds what a dictionary finds", arguments: 1...3)
    func agreesWithAModel(seed: UInt64) {
        var random = SplitMix(state: seed)
        var table = ObjectTable()
        var model: [RecordID: UInt32] = [:]
        for step in 0..<60_000 {
            let id = RecordID(
                batch: BatchID(rawValue: Int64(random.next() % 7)),
                unique: random.next() % 9000, index: 0)
            let slot = table.find(id)
            #expect(slot == model[id] ?? 0, "seed \(seed) step \(step)")
            if slot == 0 {
                model[id] = table.insert(id, .created)
            } else if random.next() % 3 == 0 {
                table.remove(slot)
                model[id] = nil
            }
        }
        let count = table.count
        #expect(count == model.count)
        #expect(model.count > 4096, "the index never grew")
        for (id, slot) in model {
            let found = table.find(id)
            #expect(found == slot)
            table.remove(slot)
        }
        let rest = table.count
        #expect(rest == 0)
    }
}
