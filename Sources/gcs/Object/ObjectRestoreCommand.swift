internal import ArgumentParser
internal import ControlClient
internal import Foundation
internal import Identifiers
internal import RESP

/// `gcs object restore`.
struct ObjectRestoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Have the node that spilled an object bring it back into memory.",
        discussion: """
            The request goes to the node over the channel NODE:<node>; the node puts the object \
            into its store and reports it. The copy on disk stays. Fails when the object is not \
            in memory again in time; the node's log says why.
            """)

    @Argument(help: ArgumentHelp("The object: 40 hexadecimal digits.", valueName: "object"))
    var object: String

    @Option(help: ArgumentHelp("How long to wait.", valueName: "seconds"))
    var wait: Double = 10

    @OptionGroup var options: ConnectionOptions

    /// What happened, for scripts.
    struct Report: Encodable {
        var object: String
        var node: String
        var bytes: Int64
    }

    func validate() throws {
        guard RecordID(hex: object) != nil else {
            throw ValidationError("an object is 40 hexadecimal digits, found '\(object)'")
        }
        guard wait >= 0, wait <= 86_400 else {
            throw ValidationError("--wait takes 0 to 86400 seconds, found \(wait)")
        }
    }

    func run() throws {
        let connection = try options.connect()
        var found = try look(connection)
        guard let node = found.memory ?? found.disk else {
            throw Failure("object \(object) is neither in memory nor on a disk")
        }
        if found.memory == nil {
            let receivers = try connection.command("PUBLISH", "NODE:\(node)", "restore \(object)")
            guard (receivers.number ?? 0) > 0 else {
                throw Failure("node \(node), which spilled object \(object), is away")
            }
            let deadline = Date().addingTimeInterval(wait)
            while found.memory == nil {
                guard Date() < deadline else {
                    throw Failure("object \(object) was not in memory after \(wait) s")
                }
                Thread.sleep(forTimeInterval: 0.02)
                found = try look(connection)
            }
        }
        let report = Report(object: object, node: found.memory ?? node, bytes: found.byteCount)
        guard !options.json else { return try Output.write(json: report) }
        Output.write(["object \(object) is in memory on \(report.node)"])
    }

    /// Nodes that have the object in memory and on disk.
    private func look(
        _ connection: BlockingControlConnection
    ) throws -> (memory: String?, disk: String?, byteCount: Int64) {
        let reply = try connection.command("GCS.OBJECT", "GET", object)
        guard reply.elements != nil else { throw Failure("no such object \(object)") }
        let locations = reply[field: "locations"]?.elements ?? []
        func node(_ isSpilled: Bool) -> String? {
            let location = locations.first {
                ($0[field: "copy"]?.text == "spilled") == isSpilled
            }
            return location?[field: "node"]?.text
        }
        return (node(false), node(true), reply[field: "bytes"]?.number ?? 0)
    }
}
