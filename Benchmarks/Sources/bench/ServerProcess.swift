import Foundation

struct BenchError: Error, CustomStringConvertible {
    let description: String
}

/// A server under measurement, on a port of its own; ended when released.
final class ServerProcess {
    let name: String
    let port: Int
    private let process = Process()

    private init(
        _ name: String, _ executable: String, _ arguments: [String], port: Int, directory: String?,
        isPinned: Bool = true
    ) throws {
        self.name = name
        self.port = port
        let pinned = try Self.pinned(executable, arguments, processors: isPinned ? "0" : Self.allProcessors)
        process.executableURL = URL(filePath: pinned[0])
        process.arguments = Array(pinned.dropFirst())
        process.standardOutput = FileHandle.nullDevice
        if let directory { process.currentDirectoryURL = URL(filePath: directory) }
        try process.run()
        // One that loads its data says so until it has.
        let deadline = ContinuousClock.now + .seconds(300)
        while ContinuousClock.now < deadline, process.isRunning {
            if (try? Connection(port: port))?.command(["PING"]) == "+PONG" { return }
            usleep(5_000)
        }
        throw BenchError(description: "\(name) does not answer on port \(port)")
    }

    deinit {
        process.terminate()
        process.waitUntilExit()
    }

    /// Where our programs are.
    static func folder() throws -> String {
        ProcessInfo.processInfo.environment["GCS_BIN"]
            ?? URL(filePath: #filePath).deletingLastPathComponent().appending(
                path: "../../../.build/release"
            ).standardizedFileURL.path
    }

    /// gcs-server, with its files in `directory`; `isPinned`: bound to one processor, as are its threads.
    static func gcs(
        _ settings: [String] = [], directory: String? = nil, isPinned: Bool = true
    ) throws -> ServerProcess {
        let folder = try folder()
        let executable = "\(folder)/gcs-server"
        guard FileManager.default.isExecutableFile(atPath: executable) else {
            throw BenchError(description: "no \(executable): build it with swift build -c release")
        }
        let port = try Connection.freePort()
        return try ServerProcess(
            "gcs-server", executable, ["--port", "\(port)"] + settings, port: port, directory: directory,
            isPinned: isPinned)
    }

    /// redis-server, with its files in `directory`.
    static func redis(
        _ settings: [String] = ["--appendonly", "no"], directory: String? = nil, isPinned: Bool = true
    ) throws -> ServerProcess {
        let port = try Connection.freePort()
        let arguments = ["--port", "\(port)", "--save", ""] + settings
        return try ServerProcess(
            "redis-server", path(of: "redis-server"), arguments, port: port, directory: directory,
            isPinned: isPinned)
    }

    /// Seconds of processor time used so far.
    var processorSeconds: Double {
        guard let text = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8)
        else { return 0 }
        let fields = text.split(separator: " ")
        return ((Double(fields[13]) ?? 0) + (Double(fields[14]) ?? 0)) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// The process.
    var identifier: Int32 { process.processIdentifier }

    /// Gives the loop, not the other threads, real-time priority.
    func prefer() throws {
        let chrt = Process()
        chrt.executableURL = URL(filePath: try Self.path(of: "chrt"))
        chrt.arguments = ["-f", "-p", "1", "\(identifier)"]
        try chrt.run()
        chrt.waitUntilExit()
        guard chrt.terminationStatus == 0 else {
            throw BenchError(description: "--real-time needs the right to set priorities")
        }
    }

    /// Bytes handed to the disk so far.
    var writtenByteCount: Int {
        guard let text = try? String(contentsOfFile: "/proc/\(identifier)/io", encoding: .utf8) else { return 0 }
        let line = text.split(separator: "\n").first { $0.hasPrefix("write_bytes:") }
        return Int(line?.split(separator: " ").last ?? "") ?? 0
    }

    /// Bytes of memory in use.
    var residentByteCount: Int {
        guard let text = try? String(contentsOfFile: "/proc/\(process.processIdentifier)/statm", encoding: .utf8)
        else { return 0 }
        return (Int(text.split(separator: " ")[1]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
    }

    /// A command line bound to processors, if `taskset` is there.
    static func pinned(_ executable: String, _ arguments: [String], processors: String) throws -> [String] {
        guard hasSeveralProcessors, let taskset = try? path(of: "taskset") else {
            return [executable] + arguments
        }
        return [taskset, "-c", processors, executable] + arguments
    }

    /// Settings, redis-server's too, that have the loop, not the other threads, run on the first processor: clients are
    /// on the second.
    static var loopApart: [String] { hasSeveralProcessors ? ["--server_cpulist", "0"] : [] }

    /// The same, and nothing else runs there.
    static var loopAlone: [String] { hasSeveralProcessors ? loopApart + ["--bio_cpulist", "1"] : [] }

    private static var hasSeveralProcessors: Bool { ProcessInfo.processInfo.processorCount > 1 }

    /// What a program runs on that nobody binds: not what this one is bound to.
    private static var allProcessors: String { "0-\(ProcessInfo.processInfo.processorCount - 1)" }

    /// Binds this process, threads that it starts later included, to a processor, if `taskset` is there.
    static func pinSelf(processor: Int) {
        _ = pin("\(ProcessInfo.processInfo.processIdentifier)", processor, options: ["--all-tasks"])
    }

    /// Binds the calling thread to a processor; whether it is.
    static func pinThread(processor: Int) -> Bool {
        let link = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/thread-self")
        guard let thread = link?.split(separator: "/").last else { return false }
        return pin(String(thread), processor)
    }

    private static func pin(_ thread: String, _ processor: Int, options: [String] = []) -> Bool {
        guard hasSeveralProcessors, let taskset = try? path(of: "taskset") else { return false }
        let process = Process()
        process.executableURL = URL(filePath: taskset)
        process.arguments = options + ["-cp", "\(processor)", thread]
        process.standardOutput = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }

    static func path(of program: String) throws -> String {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        for folder in folders where FileManager.default.isExecutableFile(atPath: "\(folder)/\(program)") {
            return "\(folder)/\(program)"
        }
        throw BenchError(description: "\(program) is not installed (Debian: redis-server, redis-tools)")
    }
}
