import Identifiers
import NodeManager
import PlasmaProtocol
import RESP
import Testing

private let batch = BatchID(rawValue: 5)

private func object(_ number: Int) -> RecordID {
    RecordID(batch: batch, unique: UInt64(number), index: 1)
}

/// A node manager that spills, with its worker threads played by the test.
private struct SpillWorld {
    var manager: NodeManager
    var now: Int64 = 1_700_000_000_000
    var sent: [(number: Int, words: [String])] = []
    var asked: [NodeManager.SpillRequest] = []
    var said: [String] = []
    /// What GCS.OBJECT GET answers: node, copy, URL.
    var locations: [RecordID: [(node: String, copy: String, url: String?)]] = [:]
    var ended = false

    init() {
        var configuration = NodeManager.Configuration(nodeID: "n1")
        configuration.spilling = NodeManager.SpillConfiguration()
        manager = NodeManager(configuration)
    }

    mutating func take(_ input: NodeManager.Input) {
        for output in manager.handle(input, at: now) {
            switch output {
            case .send(let number, let words): sent.append((number, words))
            case .spilling(let request): asked.append(request)
            case .say(_, let text): said.append(text)
            case .list: take(.storeListed([]))
            case .drain: take(.storeDrained)
            case .askPins, .askUsage: break
            case .delete(let ids): take(.storeDeleted(ids.map { _ in .removed }))
            }
        }
    }

    mutating func pass(_ milliseconds: Int64) {
        now += milliseconds
        take(.tick)
        answerAll()
    }

    /// Answers everything that was sent, and what follows from that; returns all commands.
    @discardableResult
    mutating func answerAll() -> [[String]] {
        var commands: [[String]] = []
        while !sent.isEmpty {
            let (number, words) = sent.removeFirst()
            commands.append(words)
            take(.reply(number, answer(words)))
        }
        return commands
    }

    private func answer(_ words: [String]) -> ControlReply {
        switch Array(words.prefix(2)) {
        case ["INFO", "server"]: return .bytes(Array("run_id:a\r\n".utf8))
        case ["GCS.NODE", "REGISTER"]: return .bytes(Array("0-0".utf8))
        case ["GCS.OBJECT", "ADD"], ["GCS.OBJECT", "SPILLED"]:
            if ended { return .error(code: "BATCHENDED", text: "batch 5 has ended") }
            return words[1] == "ADD" ? .integer(1) : .status("OK")
        case ["GCS.OBJECT", "GET"]:
            guard let id = RecordID(hex: words[2]), let list = locations[id] else { return .null }
            return .array([
                text("locations"),
                .array(
                    list.map { entry in
                        .array(
                            [
                                text("node"), text(entry.node), text("copy"), text(entry.copy),
                            ] + (entry.url.map { [text("url"), text($0)] } ?? []))
                    }),
            ])
        case ["XRANGE", "gc:log"]: return .array([])
        default: return .null
        }
    }

    private func text(_ text: String) -> ControlReply { .bytes(Array(text.utf8)) }

    mutating func connect() {
        take(.storeConnected)
        take(.spilling(.storeIsOurs))
        take(.serverConnected)
        answerAll()
        take(.spilling(.found([:], paths: [])))
        asked = []
    }

    /// Objects in memory that the server knows as primary copies of this node.
    mutating func put(_ numbers: Range<Int>) {
        take(.storeChanged(numbers.map { .sealed(object($0), byteCount: 100) }))
        for number in numbers { locations[object(number)] = [("n1", "primary", nil)] }
        answerAll()
    }

    mutating func needs(
        primary: Int64, held: Int64 = 0, awaited: [RecordID] = [], capacity: Int64 = 1000
    ) {
        var needs = NeedsReply()
        needs.capacity = capacity
        needs.usedByteCount = primary
        needs.primaryByteCount = primary
        needs.heldByteCount = held
        needs.awaited = awaited
        take(.spilling(.needs(needs)))
    }

    /// What was asked of the threads since the last call, without questions about needs.
    mutating func takeAsked() -> [NodeManager.SpillRequest] {
        defer { asked = [] }
        return asked.filter { if case .askNeeds = $0 { false } else { true } }
    }

    func candidates(_ numbers: Range<Int>) -> [SpillCandidate] {
        numbers.map {
            SpillCandidate(id: object($0), dataByteCount: 100, metadataByteCount: 0, digest: 0)
        }
    }

    func places(_ numbers: Range<Int>, _ path: String) -> [RecordID: NodeManager.SpillPlace] {
        var places: [RecordID: NodeManager.SpillPlace] = [:]
        for number in numbers {
            places[object(number)] = NodeManager.SpillPlace(
                path: path, offset: Int64(number) * 172, recordByteCount: 172, byteCount: 100)
        }
        return places
    }

    /// Spills objects into a file, as if all went well.
    mutating func spill(_ numbers: Range<Int>, _ path: String) {
        needs(primary: 900)
        take(.spilling(.chosen(worker: 0, candidates(numbers))))
        answerAll()
        take(.spilling(.written(worker: 0, path: path, places(numbers, path))))
        answerAll()
        take(.storeChanged(numbers.map { .gone(object($0)) }))
        take(.spilling(.dropped(worker: 0, byteCount: Int64(100 * numbers.count))))
        answerAll()
        asked = []
    }

    mutating func log(_ fields: [String]) {
        take(.message)
        while !sent.isEmpty {
            let (number, words) = sent.removeFirst()
            guard words.prefix(2) == ["XRANGE", "gc:log"] else {
                take(.reply(number, answer(words)))
                continue
            }
            let entry = ControlReply.array([text("\(now)-0"), .array(fields.map(text))])
            take(.reply(number, .array([entry])))
            break
        }
        answerAll()
    }
}

@Suite("Spilling, the node manager's side") struct NodeSpillingTests {
    @Test func nothingIsDroppedBeforeTheServerKnowsWhereItIs() {
        var world = SpillWorld()
        world.connect()
        world.put(0..<3)
        world.needs(primary: 900)
        #expect(world.takeAsked() == [.choose(worker: 0, byteCount: 250, count: 2000)])
        world.take(.spilling(.chosen(worker: 0, world.candidates(0..<3))))
        world.answerAll()
        guard case .write(0, let times, let secondary) = world.takeAsked().first else {
            Issue.record("nothing is written")
            return
        }
        #expect(times.count == 3 && secondary.isEmpty)
        world.take(.spilling(.written(worker: 0, path: "/s/f", world.places(0..<3, "/s/f"))))
        #expect(world.takeAsked().isEmpty)
        let commands = world.answerAll()
        #expect(
            commands.contains(
                ["GCS.OBJECT", "SPILLED", "\(object(1))", "n1", "/s/f?offset=172&size=172"]))
        guard case .drop(0, let dropped) = world.takeAsked().first else {
            Issue.record("nothing is dropped")
            return
        }
        #expect(Set(dropped) == Set((0..<3).map(object)))
    }

    @Test func copiesOfOthersAreEvictedAndUnknownOnesStay() {
        var world = SpillWorld()
        world.connect()
        world.put(0..<4)
        world.locations[object(1)] = [("n2", "primary", nil), ("n1", "primary", nil)]
        world.locations[object(2)] = nil
        world.locations[object(3)] = [
            ("n1", "primary", nil), ("n2", "spilled", "/x?offset=0&size=1"),
        ]
        world.needs(primary: 900)
        _ = world.takeAsked()
        world.take(.spilling(.chosen(worker: 0, world.candidates(0..<4))))
        world.answerAll()
        guard case .write(0, let times, let secondary) = world.takeAsked().first else {
            Issue.record("nothing is written")
            return
        }
        #expect(Array(times.keys) == [object(0)])
        #expect(Set(secondary) == [object(1), object(3)])
    }

    @Test func aFileGoesWithItsLastObject() {
        var world = SpillWorld()
        world.connect()
        world.put(0..<3)
        world.spill(0..<3, "/s/f")
        world.now += 1000
        world.log(["objects", "\(object(0)),\(object(1))"])
        #expect(world.takeAsked().isEmpty)
        world.now += 1000
        world.log(["batch", "5", "reason", "end"])
        #expect(world.takeAsked() == [.remove(path: "/s/f")])
    }

    @Test func keptObjectsStayOnDisk() {
        var world = SpillWorld()
        world.connect()
        world.put(0..<2)
        world.spill(0..<2, "/s/f")
        world.now += 1000
        world.log(["batch", "5", "reason", "end", "kept", "\(object(1))"])
        #expect(world.takeAsked().isEmpty)
    }

    @Test func whatIsAwaitedComesBack() {
        var world = SpillWorld()
        world.connect()
        world.put(0..<2)
        world.spill(0..<2, "/s/f")
        world.needs(primary: 100, awaited: [object(1), object(9)])
        let place = world.places(0..<2, "/s/f")[object(1)]
        #expect(world.takeAsked() == place.map { [.restore(object(1), $0)] })
        // No room: tried again later. Wrong bytes: never again.
        world.take(.spilling(.notRestored(object(1), reason: "no room", isFinal: false)))
        world.pass(300)
        #expect(world.takeAsked() == place.map { [.restore(object(1), $0)] })
        world.take(.spilling(.notRestored(object(1), reason: "checksum", isFinal: true)))
        world.take(.spilling(.wanted([object(1)])))
        world.pass(300)
        #expect(world.takeAsked().isEmpty)
        #expect(world.said.contains { $0.contains("cannot be brought back: checksum") })
    }

    @Test func anObjectDeletedOnItsWayBackIsDeletedWhenItComes() {
        var world = SpillWorld()
        world.connect()
        world.put(0..<1)
        world.spill(0..<1, "/s/f")
        world.take(.spilling(.wanted([object(0)])))
        world.now += 1000
        world.log(["objects", "\(object(0))"])
        #expect(world.takeAsked().last == .remove(path: "/s/f"))
        var deleted: [RecordID] = []
        for output in world.manager.handle(
            .storeChanged([.sealed(object(0), byteCount: 100)]), at: world.now)
        {
            if case .delete(let ids) = output { deleted += ids }
        }
        #expect(deleted == [object(0)])
    }

    @Test func aFullDiskIsSaidOnceAndTriedAgain() {
        var world = SpillWorld()
        world.connect()
        world.put(0..<3)
        world.needs(primary: 900)
        for percent in [96, 97] {
            #expect(world.takeAsked().count == 1)
            world.take(
                .spilling(
                    .failed(worker: 0, reason: "\(percent) % full", isLackOfRoom: true)))
            #expect(world.takeAsked().isEmpty)
            world.pass(1000)
        }
        #expect(world.said.filter { $0.contains("spilling stops") }.count == 1)
        world.take(.spilling(.chosen(worker: 0, world.candidates(0..<3))))
        world.answerAll()
        world.take(.spilling(.written(worker: 0, path: "/s/f", world.places(0..<3, "/s/f"))))
        #expect(world.said.contains("spilling goes on"))
    }

    @Test func lateOnesOfAnEndedBatchGoFromTheDiskToo() {
        var world = SpillWorld()
        world.connect()
        world.put(0..<2)
        world.needs(primary: 900)
        world.take(.spilling(.chosen(worker: 0, world.candidates(0..<2))))
        world.answerAll()
        _ = world.takeAsked()
        world.ended = true
        world.take(.spilling(.written(worker: 0, path: "/s/f", world.places(0..<2, "/s/f"))))
        world.answerAll()
        let asked = world.takeAsked()
        #expect(asked.contains(.remove(path: "/s/f")))
        #expect(asked.contains(.drop(worker: 0, [])))
    }

    @Test func onlyWhatTheServerNamesIsAdopted() {
        var world = SpillWorld()
        var copies: [RecordID: [NodeManager.FoundCopy]] = [:]
        for (number, path) in [(0, "/s/f"), (1, "/s/g"), (2, "/s/h")] {
            let place = NodeManager.SpillPlace(
                path: path, offset: 0, recordByteCount: 172, byteCount: 100)
            copies[object(number)] = [NodeManager.FoundCopy(place: place, createdAt: 1)]
        }
        world.locations[object(0)] = [("n1", "spilled", "/s/f?offset=0&size=172")]
        world.locations[object(1)] = [("n1", "spilled", "/s/other?offset=0&size=172")]
        world.take(.spilling(.found(copies, paths: ["/s/f", "/s/g", "/s/h", "/s/empty"])))
        world.take(.storeConnected)
        world.take(.spilling(.storeIsOurs))
        world.needs(primary: 0, awaited: [object(0)])
        world.take(.serverConnected)
        world.answerAll()
        let asked = world.takeAsked()
        let removed = asked.compactMap { if case .remove(let path) = $0 { path } else { nil } }
        #expect(removed.sorted() == ["/s/empty", "/s/g", "/s/h"])
        // Somebody waited for it before it was known.
        #expect(asked.contains { if case .restore(object(0), _) = $0 { true } else { false } })
    }

    @Test func aServerWithoutMemoryIsToldAgain() {
        var world = SpillWorld()
        world.connect()
        world.put(0..<1)
        world.spill(0..<1, "/s/f")
        world.take(.serverLost)
        world.take(.serverConnected)
        var commands: [[String]] = []
        while !world.sent.isEmpty {
            let (number, words) = world.sent.removeFirst()
            commands.append(words)
            let reply: ControlReply =
                words == ["INFO", "server"]
                ? .bytes(Array("run_id:b\r\n".utf8))
                : words.contains("REGISTER")
                    ? .bytes(Array("0-0".utf8))
                    : words.first == "XRANGE" ? .array([]) : .null
            world.take(.reply(number, reply))
        }
        let about = commands.filter { $0.first == "GCS.OBJECT" }.map { $0[1] }
        #expect(about == ["ADD", "SPILLED", "REMOVE"])
    }

    @Test func withoutNeedNothingIsSpilled() {
        var world = SpillWorld()
        world.connect()
        world.put(0..<3)
        world.needs(primary: 800)
        #expect(world.takeAsked().isEmpty)
        world.needs(primary: 700, held: 350)
        #expect(world.takeAsked() == [.choose(worker: 0, byteCount: 250, count: 2000)])
    }
}
