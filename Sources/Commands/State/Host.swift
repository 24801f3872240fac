/// What the server asks of the program that runs it; values in tests, the system in `gcs-server`.
public struct Host: Sendable {
    /// Bytes of memory the process has in use; 0 when unknown.
    public var residentByteCount: @Sendable () -> Int = { 0 }
    /// Seconds of processor time the process used: user, system.
    public var processorSeconds: @Sendable () -> (user: Double, system: Double) = { (0, 0) }
    /// Writes the settings to the file the server was started with; a message when that fails.
    public var rewriteSettings: @Sendable (Settings.ServerSettings) -> String? = { _ in
        "The server is running without a config file"
    }
    /// Writes a line to the server's log.
    public var log: @Sendable (LogLevel, String) -> Void = { _, _ in }
    /// Makes settings that changed act outside of the core (sockets, the log).
    public var settingsChanged: @Sendable (Settings.ServerSettings) -> Void = { _ in }
    /// Whether an append-only file can be written as the settings say; a message when it cannot.
    ///
    /// The flag tells whether the directory is locked for this process.
    public var probeLog: @Sendable (Settings.ServerSettings, Bool) -> String? = { _, _ in nil }
    /// The number of the process.
    public var processID: Int32 = 0
    /// The TCP port, once it is known.
    public var port = 0
    /// The settings file; empty when there is none.
    public var configurationFile = ""
    /// The program's path.
    public var executable = ""

    /// A host that knows nothing.
    public init() {}
}

public import Settings
