internal import ControlClient
internal import EventLoop
internal import Glibc
internal import NodeManager
internal import Settings

/// `gcs-node`: reads its settings, and runs one node until SIGTERM or SIGINT.
enum Program {
    /// Ends the process when it cannot start (status 1), or when it is asked to end (status 0).
    static func run(_ arguments: [String]) {
        let words = Array(arguments.dropFirst())
        if words.contains("--help") || words.contains("-h") {
            write(NodeSettings.table.help(), to: STDOUT_FILENO)
            return
        }
        do throws(SettingError) {
            let (settings, _) = try NodeSettings.table.start(words, load: TextFile.load)
            let plan = try NodePlan(settings)
            guard let log = EventLog(path: settings.logFilePath, level: settings.logLevel) else {
                throw SettingError(
                    name: "logfile", reason: .file(String(cString: strerror(errno))))
            }
            serve(plan, log)
        } catch {
            write("gcs-node: \(error)\n", to: STDERR_FILENO)
            exit(1)
        }
    }

    private static func serve(_ plan: NodePlan, _ log: EventLog) {
        let loop = Loop()
        let node = Node(loop, plan, log)
        let signals = [SIGTERM, SIGINT].map { number in
            SignalWatch(loop, number) {
                log.write(.notice, "ending on \(number == SIGTERM ? "SIGTERM" : "SIGINT")")
                loop.stop()
            }
        }
        log.write(
            .notice,
            "node \(plan.configuration.nodeID) between \(plan.storePath) and \(plan.server)")
        node.start()
        withExtendedLifetime(signals) { loop.run() }
        node.stop()
    }

    private static func write(_ text: String, to descriptor: Int32) {
        var text = text
        text.withUTF8 { _ = Glibc.write(descriptor, $0.baseAddress, $0.count) }
    }
}
