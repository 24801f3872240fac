internal import ControlClient
internal import EventLoop
internal import Glibc
internal import NodeManager
internal import Settings
internal import SpillFiles

/// `gcs-node`: reads its settings, and runs one node until SIGTERM or SIGINT.
enum Program {
    /// Ends the process when it cannot start (status 1), or when it is asked to end (status 0).
    static func run(_ arguments: [String]) {
        let words = Array(arguments.dropFirst())
        if words.contains("--help") || words.contains("-h") {
            FileText.print(NodeSettings.table.help())
            return
        }
        do throws(SettingError) {
            let (settings, _) = try NodeSettings.table.start(words, load: load)
            let plan = try NodePlan(settings)
            guard let log = EventLog(path: settings.logFilePath, level: settings.logLevel) else {
                throw SettingError(name: "logfile", reason: .file(FileText.lastError))
            }
            serve(plan, log, try session(plan))
        } catch {
            FileText.printError("gcs-node: \(error)\n")
            SystemProcess.exit(1)
        }
    }

    /// The directories to spill to; `nil` for no spilling.
    private static func session(_ plan: NodePlan) throws(SettingError) -> SpillSession? {
        guard !plan.spillPaths.isEmpty else { return nil }
        do throws(SpillError) {
            return try SpillSession(
                paths: plan.spillPaths, node: plan.configuration.nodeID,
                capacityMax: plan.fileSystemMax)
        } catch {
            throw SettingError(
                name: "object-spilling-directory", reason: .file(error.description))
        }
    }

    private static func serve(_ plan: NodePlan, _ log: EventLog, _ session: SpillSession?) {
        let loop = Loop()
        let node = Node(loop, plan, log, session)
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

    private static func load(_ path: String) throws(SettingError.Reason) -> String {
        guard let text = FileText.read(path) else { throw .file(FileText.lastError) }
        return text
    }
}
