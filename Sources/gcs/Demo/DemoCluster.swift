internal import ControlClient
internal import PlasmaClient
internal import Platform
internal import RESP

/// Real processes on this machine: a store, and with batches a server and a node manager.
final class DemoCluster {
    /// The store, as the jobs see it.
    let store: BlockingPlasmaConnection
    /// The socket of the store.
    let storeSocket: String
    /// The server, as the jobs see it; `nil` without batches.
    let control: BlockingControlConnection?
    private let processes: [ChildProcess]

    private static let nodeName = "demo"

    /// Where the programs are.
    struct Programs {
        let store: String
        let server: String
        let node: String

        /// Finds all of them, so that a missing one is known at once.
        ///
        /// - Parameter store: a name, or a path.
        init(store: String) throws(Failure) {
            self.store = try ProgramSearch.path(of: store)
            server = try ProgramSearch.path(of: "gcs-server")
            node = try ProgramSearch.path(of: "gcs-node")
        }
    }

    /// Starts the processes and waits until they answer.
    init(
        in directory: String, programs: Programs, storeBytes: Int64, hasBatches: Bool
    ) throws {
        storeSocket = "\(directory)/store.sock"
        let starter = Starter(directory: directory)
        var processes = [
            try starter.start(
                "plasma-store", path: programs.store,
                arguments: ["-s", storeSocket, "-m", String(storeBytes)])
        ]
        guard hasBatches else {
            store = try Self.connect(toStore: storeSocket, processes)
            control = nil
            self.processes = processes
            return
        }
        let port = try FreePort.find()
        processes.append(
            try starter.start(
                "gcs-server", path: programs.server,
                arguments: ["--port", String(port), "--bind", "127.0.0.1"]))
        let address = ControlAddress.tcp(host: "127.0.0.1", port: port)
        store = try Self.connect(toStore: storeSocket, processes)
        let control = try Self.connect(to: address, processes)
        self.control = control
        processes.append(
            try starter.start(
                "gcs-node", path: programs.node,
                arguments: [
                    "--gcs-address", address.description, "--store-socket", storeSocket,
                    "--node-id", Self.nodeName,
                ]))
        self.processes = processes
        try Self.waitForNode(control, processes)
    }

    deinit {
        for process in processes.reversed() { process.stop() }
    }

    /// Throws when a process ended by itself.
    func check() throws(Failure) {
        for process in processes { try process.checkRunning() }
    }

    /// Starts programs that log into one directory.
    private struct Starter {
        var directory: String

        func start(
            _ name: String, path: String, arguments: [String]
        ) throws(Failure) -> ChildProcess {
            try ChildProcess(name, path: path, arguments: arguments, directory: directory)
        }
    }

    private static func connect(
        toStore path: String, _ processes: [ChildProcess]
    ) throws -> BlockingPlasmaConnection {
        try retry(processes) { try BlockingPlasmaConnection(path: path) }
    }

    private static func connect(
        to address: ControlAddress, _ processes: [ChildProcess]
    ) throws -> BlockingControlConnection {
        try retry(processes) { try BlockingControlConnection(to: address) }
    }

    private static func waitForNode(
        _ control: BlockingControlConnection, _ processes: [ChildProcess]
    ) throws {
        try retry(processes) {
            let reply = try control.command("GCS.NODE", "INFO", nodeName)
            guard reply != .null else { throw Failure("the node manager did not register") }
        }
    }

    /// Tries again for up to 10 s, while all processes run.
    private static func retry<Result>(
        _ processes: [ChildProcess], _ body: () throws -> Result
    ) throws -> Result {
        let end = SystemClock.monotonicNanoseconds + 10_000_000_000
        while true {
            do {
                return try body()
            } catch {
                for process in processes { try process.checkRunning() }
                guard SystemClock.monotonicNanoseconds < end else { throw error }
            }
            try Interruption.sleep(milliseconds: 20)
        }
    }
}
