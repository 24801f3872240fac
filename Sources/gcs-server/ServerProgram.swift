internal import AppendOnlyFile
internal import Commands
internal import ControlStore
internal import EventLoop
internal import Platform
internal import Server
internal import Settings

/// The server as a process: settings, sockets, signals, and the loop.
enum ServerProgram {
    /// Runs until SIGTERM, SIGINT or SHUTDOWN.
    ///
    /// - Returns: the exit status.
    static func run(_ arguments: [String]) -> Int32 {
        if arguments.contains("--help") || arguments.contains("-h") {
            FileText.print(ServerSettings.table.help())
            return 0
        }
        if arguments.contains("--version") || arguments.contains("-v") {
            FileText.print("gcs-server \(Version.number)\n")
            return 0
        }
        let loaded: (values: ServerSettings, file: String?)
        do throws(SettingError) {
            loaded = try ServerSettings.table.start(arguments) { path throws(SettingError.Reason) in
                guard let text = FileText.read(path) else { throw .file(FileText.lastError) }
                return text
            }
        } catch {
            FileText.printError("gcs-server: \(error)\n")
            return 1
        }
        guard let log = LogFile(loaded.values) else {
            FileText.printError(
                "gcs-server: cannot open logfile \(loaded.values.logFilePath): \(FileText.lastError)\n"
            )
            return 1
        }
        return serve(loaded.values, file: loaded.file, log)
    }

    private static func serve(_ settings: ServerSettings, file: String?, _ log: LogFile) -> Int32 {
        if let reason = unusableProcessors(settings) { return refuse(reason, log) }
        var diskProcessors = settings.diskProcessors.set
        if let loopProcessors = settings.loopProcessors.set {
            // Threads inherit where the loop runs, unless they are put elsewhere.
            if diskProcessors == nil { diskProcessors = ProcessorSet.current }
            loopProcessors.apply()
        }
        let loop = Loop()
        do throws(SocketError) {
            let server = try RunningServer(
                loop, settings, file: file, log: log, diskProcessors: diskProcessors)
            do throws(LogError) {
                try server.startKeeping()
            } catch {
                return refuse("\(error)", log)
            }
            let signals = [terminate, interrupt].map { number in
                SignalWatch(loop, number) {
                    log.write(.warning, "received \(number == terminate ? "SIGTERM" : "SIGINT")")
                    loop.stop()
                }
            }
            let hangUp = SignalWatch(loop, hangUpSignal) { log.reopen() }
            loop.run { server.finishTurn() }
            if let failure = server.failure { return refuse("\(failure)", log) }
            withExtendedLifetime((signals, hangUp)) { server.stop() }
            return 0
        } catch {
            return refuse("\(error)", log)
        }
    }

    /// Why threads cannot run where the settings say; `nil` when they can.
    private static func unusableProcessors(_ settings: ServerSettings) -> String? {
        guard let usable = ProcessorSet.current else { return nil }
        for (name, list) in [
            ("server-cpulist", settings.loopProcessors), ("bio-cpulist", settings.diskProcessors),
        ] {
            guard let set = list.set, set.isDisjoint(with: usable) else { continue }
            return "\(name) \(list.text): this process may use none of these processors"
        }
        return nil
    }

    private static func refuse(_ reason: String, _ log: LogFile) -> Int32 {
        log.write(.warning, reason)
        FileText.printError("gcs-server: \(reason)\n")
        return 1
    }

    private static let terminate: Int32 = 15
    private static let interrupt: Int32 = 2
    private static let hangUpSignal: Int32 = 1
}
