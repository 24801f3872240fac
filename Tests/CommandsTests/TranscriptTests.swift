import Commands
import Foundation
import Testing

/// Golden sessions under Transcripts/; `UPDATE_TRANSCRIPTS=1` rewrites them, and the diff is reviewed.
@Suite struct TranscriptTests {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "Transcripts")
    static let names =
        ((try? FileManager.default.subpathsOfDirectory(atPath: folder.path)) ?? [])
        .filter { $0.hasSuffix(".resp") }.sorted()

    /// Commands whose replies change from run to run, tested elsewhere; and the one that sets its own
    /// count to zero.
    static let elsewhere: Set<String> = ["randomkey", "info", "config|resetstat"]

    private static func transcript(_ name: String) throws -> Transcript {
        let text = try String(contentsOf: folder.appending(path: name), encoding: .utf8)
        return Transcript(name: name, text: text)
    }

    @Test("replays", arguments: names)
    func replays(name: String) throws {
        let transcript = try Self.transcript(name)
        var server = MemoryServer()
        let replayed = transcript.replayed(on: &server)
        if ProcessInfo.processInfo.environment["UPDATE_TRANSCRIPTS"] == "1" {
            try replayed.write(
                to: Self.folder.appending(path: name), atomically: true, encoding: .utf8)
            return
        }
        let found = replayed.split(separator: "\n", omittingEmptySubsequences: false)
        let wanted = transcript.text.split(separator: "\n", omittingEmptySubsequences: false)
        for (number, (found, wanted)) in zip(found, wanted).enumerated() where found != wanted {
            Issue.record("\(name):\(number + 1): expected \(wanted), received \(found)")
            return
        }
        #expect(found.count == wanted.count)
    }

    @Test func everyCommandIsInATranscript() throws {
        var called = Self.elsewhere
        var names: [String] = []
        for name in Self.names {
            var server = MemoryServer()
            _ = try Self.transcript(name).replayed(on: &server)
            called.formUnion(server.calledCommands())
            names = server.commandNames()
        }
        let containers = Set(
            names.filter { $0.contains("|") }.map { String($0.prefix { $0 != "|" }) })
        let missing = names.filter { !called.contains($0) && !containers.contains($0) }
        #expect(!names.isEmpty)
        #expect(missing.filter { !$0.hasSuffix("|help") } == [])
    }
}
