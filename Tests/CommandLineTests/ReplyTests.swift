import GCSClient
import RESP
import Testing

@testable import gcs

@Suite struct ReplyTests {
    private func map(_ pairs: [(String, ControlReply)]) -> ControlReply {
        .array(pairs.flatMap { [.bytes(Array($0.0.utf8)), $0.1] })
    }

    @Test("a batch is read from the fields of GCS.BATCH INFO, in any order")
    func batch() throws {
        let batch = try BatchInfo(
            map([
                ("status", .bytes(Array("done".utf8))), ("id", .integer(42)),
                ("depends-on", .array([.integer(7), .integer(8)])), ("tasks", .integer(3)),
                ("timeout-ms", .integer(0)), ("ended-ms", .integer(5)), ("new-field", .null),
            ]))
        #expect(batch.id == BatchID(rawValue: 42) && batch.status == .done && batch.taskCount == 3)
        #expect(batch.dependsOn.map(\.rawValue) == [7, 8] && batch.dependents.isEmpty)
        #expect(batch.timeoutMilliseconds == nil && batch.endedMilliseconds == 5)
    }

    @Test("a reply of another shape is an error that shows it")
    func unexpectedShape() {
        let error = #expect(throws: GCSError.self) { try BatchInfo(.integer(3)) }
        #expect(error?.description.contains("integer(3)") == true)
        #expect(throws: GCSError.self) { try ControlReply.array([.integer(1)]).fields() }
    }

    @Test("INFO is read by name; sections and odd lines are left out")
    func info() {
        let info = ServerInfo(
            "# Server\r\nuptime_in_seconds:12\r\nodd\r\n\r\n# GCS\r\ngcs_a:b:c\r\n")
        #expect(info.number("uptime_in_seconds") == 12)
        #expect(info.text("absent", "gcs_a") == "b:c")
        #expect(info.number("gcs_a") == nil)
    }

    @Test("a node's status is the server's word, and unknown when there is none of them")
    func nodes() {
        func status(_ word: String) -> NodeStatus.Status {
            NodeStatus(map([("status", .bytes(Array(word.utf8)))])).status
        }
        #expect(["alive", "lost", "unknown"].map(status) == [.alive, .lost, .unknown])
        #expect(status("of later") == .unknown)
        #expect(NodeStatus(map([])).status == .unknown)
        #expect(NodeStatus(map([("last-seen-ms", .integer(0))])).lastSeenMilliseconds == nil)
        #expect(NodeStatus(map([("last-seen-ms", .integer(7))])).lastSeenMilliseconds == 7)
    }
}
