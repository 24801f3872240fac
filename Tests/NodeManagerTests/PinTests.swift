import Identifiers
import NodeManager
import RESP
import Testing

@Suite struct PinTests {
    private func report(
        _ pins: [(RecordID, [Int32])], sequence: Int64 = 1, isAnew: Bool = false,
        hasMore: Bool = false
    ) -> NodeManager.Input {
        .storePins(
            NodeManager.PinReport(
                sequence: sequence, isAnew: isAnew, hasMore: hasMore,
                pins: pins.map {
                    NodeManager.Pin(id: $0.0, byteCount: 100, processes: $0.1)
                }))
    }

    private func pin(_ process: Int32, _ id: RecordID) -> String {
        "\(process) PINNED_IN_MEMORY \(id)"
    }

    private func connected() -> World {
        var world = World()
        world.connect()
        world.advance(1000)
        world.settle()
        return world
    }

    @Test("the store is asked from the start, and from where its last answer ended")
    func asks() {
        var world = connected()
        #expect(world.pinsAskedFrom == 0 && world.isUsageAsked)
        world.take(report([], sequence: 5, isAnew: true))
        world.pinsAskedFrom = nil
        world.advance(100)
        #expect(world.pinsAskedFrom == nil)
        world.advance(500)
        #expect(world.pinsAskedFrom == 5)
        world.take(report([], sequence: 6, hasMore: true))
        #expect(world.pinsAskedFrom == 6)
    }

    @Test("what changed is told to the server, once")
    func tells() {
        var world = connected()
        world.take(report([(object(7, 1), [1, 2]), (object(7, 2), [1])], isAnew: true))
        world.settle()
        #expect(
            world.server.pins == [
                pin(1, object(7, 1)), pin(2, object(7, 1)), pin(1, object(7, 2)),
            ])
        #expect(
            world.heard("GCS.REF").first?.suffix(2) == ["BYTES", "100"])
        world.take(report([(object(7, 1), [2]), (object(7, 2), [1])]))
        world.settle()
        #expect(world.server.pins == [pin(2, object(7, 1)), pin(1, object(7, 2))])
        #expect(world.heard("GCS.REF").count == 4)
        #expect(world.manager.isIdle)
    }

    @Test("a full report in parts takes back what it does not name, at its end")
    func fullReport() {
        var world = connected()
        world.take(report([(object(7, 1), [1]), (object(7, 2), [1])], isAnew: true))
        world.settle()
        world.take(report([(object(7, 3), [1])], isAnew: true, hasMore: true))
        world.settle()
        #expect(world.server.pins.count == 3)
        world.take(report([(object(7, 2), [1])]))
        world.settle()
        #expect(world.server.pins == [pin(1, object(7, 2)), pin(1, object(7, 3))])
    }

    @Test("a server that the node registers with anew is told all that holds")
    func registersAnew() {
        var world = connected()
        world.take(report([(object(7, 1), [1]), (object(7, 2), [1])], isAnew: true))
        world.settle()
        world.cutServer()
        world.take(report([(object(7, 1), [])]))
        world.connectServer()
        world.settle()
        #expect(world.server.pins == [pin(1, object(7, 2))])
    }

    @Test("a store that is gone pins nothing")
    func storeGoes() {
        var world = connected()
        world.take(report([(object(7, 1), [1])], isAnew: true))
        world.settle()
        world.cutStore()
        world.connectStore()
        world.settle()
        #expect(world.server.pins.isEmpty)
        world.advance(1000)
        #expect(world.pinsAskedFrom == 0)
    }

    @Test("how the store uses its memory goes into heartbeats")
    func usage() {
        var world = connected()
        world.take(.storeUsage(["capacity", "1000"]))
        world.advance(2000)
        world.settle()
        #expect(world.heard("GCS.NODE HEARTBEAT").last?.suffix(2) == ["capacity", "1000"])
    }
}
