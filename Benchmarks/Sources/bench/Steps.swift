import Foundation

/// How long each turn of the loop takes while a server does what once stalled it: `turns` runs it in one
/// process, without sockets, and measures processor time, which other programs do not blur.
struct Steps {
    let isQuick: Bool

    func run(_ report: inout Report) throws {
        report.add("## Turns of the loop, in microseconds of processor time")
        report.add()
        let program = Process()
        program.executableURL = URL(filePath: try ServerProcess.folder()).appending(path: "turns")
        program.arguments = isQuick ? ["--quick"] : []
        let output = Pipe()
        program.standardOutput = output
        try program.run()
        var text = ""
        while let data = try output.fileHandleForReading.read(upToCount: 1 << 16), !data.isEmpty {
            text += String(decoding: data, as: UTF8.self)
        }
        program.waitUntilExit()
        for line in text.split(separator: "\n") { report.add(String(line)) }
        report.add()
        guard program.terminationStatus == 0 else { throw Failure() }
    }

    private struct Failure: Error, CustomStringConvertible {
        var description: String { "turns did not end as it should" }
    }
}
