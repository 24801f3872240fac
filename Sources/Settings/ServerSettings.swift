/// The settings of `gcs-server`; the initial values are the defaults.
public struct ServerSettings: Equatable, Sendable {
    /// `bind`: addresses to listen on; a leading `-` means that it may be missing.
    public var bind = ["127.0.0.1", "-::1"]
    /// `port`: 0 for none, or for one that the system chooses when there is no unix socket.
    public var port = 6379
    /// `tcp-backlog`: connections that may wait for `accept`.
    public var tcpBacklog = 511
    /// `unixsocket`: the socket's path, or empty.
    public var unixSocketPath = ""
    /// `unixsocketperm`: the socket file's permissions; 0 leaves what the umask gave.
    public var unixSocketPermissions = 0
    /// `protected-mode`: refuse clients from other machines while no password is set.
    public var protectedMode = true

    /// `maxclients`: open connections; above it a new one is told so and closed.
    public var clientCountMax = 10_000
    /// `timeout`: how long a client may be silent; zero for ever.
    public var idleTimeout = Duration.zero
    /// `tcp-keepalive`: time between the probes of a silent connection; zero for none.
    public var tcpKeepAlive = Duration.seconds(300)
    /// `client-output-buffer-limit`: replies that a client may leave unread.
    public var outputBufferLimits = OutputBufferLimits()
    /// `client-query-buffer-limit`: bytes of a request that has not come to its end.
    public var queryBufferByteCountMax = 1 << 30
    /// `proto-max-bulk-len`: bytes of one argument.
    public var bulkByteCountMax = 512 << 20

    /// `batch-tombstone-secs`: how long the id of an ended batch is remembered.
    public var batchTombstone = Duration.seconds(3600)
    /// `gc-log-max-len`: entries that the stream `gc:log` keeps.
    public var deletionLogLengthMax = 1_000_000
    /// `reference-counting`: whether an object that loses its last reference is freed.
    public var referenceCounting = false
    /// `node-timeout-secs`: how long a registered node may be silent; zero for ever.
    public var nodeTimeout = Duration.seconds(30)
    /// `notify-keyspace-events`: the events that are published.
    public var keyspaceEvents: KeyspaceEvents = []
    /// `databases`: there is one.
    public var databaseCount = 1

    /// `dir`: where the append-only file and snapshots lie.
    public var directory = "."
    /// `appendonly`: whether changes go to the append-only file.
    public var appendOnly = false
    /// `appendfsync`: when the append-only file is made durable.
    public var appendSync = AppendSync.everysec
    /// `appenddirname`: the folder of the append-only file, in `dir`.
    public var appendFolder = "appendonlydir"
    /// `appendfilename`: what the names of its segments begin with.
    public var appendFileName = "appendonly.aof"
    /// `dbfilename`: the snapshot, in `dir`.
    public var snapshotName = "dump.gcs"

    /// `flush-policy`: what says when records leave memory.
    public var flushPolicy = FlushPolicyName.simple
    /// `flush-when-at-least-bytes`: the window of memory that records may take.
    public var flushWindowByteCount = 2 << 30
    /// `flush-period-secs`: how often the policy flushes.
    public var flushPeriod = Duration.seconds(10)
    /// `flush-num-entries-each-time`: records flushed in a period at least.
    public var flushRecordCountPerPeriod = 10_000
    /// `flush-older-than-secs`: what the policy `age` flushes.
    public var flushAge = Duration.seconds(3600)
    /// `flush-target`: where records go.
    public var flushTarget = FlushTarget.disk

    /// `loglevel`: how much is logged.
    public var logLevel = LogLevel.notice
    /// `logfile`: where to, or empty for standard output.
    public var logFilePath = ""
    /// `pidfile`: the file that holds the process id, or empty.
    public var pidFilePath = ""
    /// `server-cpulist`: processors for the thread that serves clients.
    public var loopProcessors = ProcessorList()
    /// `bio-cpulist`: processors for the threads that write to and read from the disk.
    public var diskProcessors = ProcessorList()

    /// The defaults.
    public init() {}
}

extension ServerSettings {
    /// Every setting of `gcs-server`, declared once.
    public static let table = SettingTable(
        program: "gcs-server", file: "conf/gcs.conf", defaults: ServerSettings(),
        sections: [network, clients, memory, persistence, flushing, general])

    private static let network = SettingSection<ServerSettings>(
        "Network",
        [
            Setting(
                "bind", \.bind, .list, isLive: false,
                docs: """
                    The addresses to listen on: `0.0.0.0` is every IPv4 address, `::` every \
                    IPv6 address. One with a leading `-` may be missing on this machine; any \
                    other must be there.
                    """),
            Setting(
                "port", \.port, .integer(0...65535), isLive: false,
                docs: """
                    The TCP port. 0 opens none when there is a `unixsocket`; without one the \
                    system chooses a free port, and the log tells which.
                    """),
            Setting(
                "tcp-backlog", \.tcpBacklog, .integer(1...Int(Int32.max)), isLive: false,
                docs: """
                    Connections that may wait to be accepted. The kernel's `net.core.somaxconn` \
                    is the upper bound.
                    """),
            Setting(
                "unixsocket", \.unixSocketPath, .text, isLive: false,
                example: "\"/run/gcs/gcs.sock\"",
                docs: "The path of a unix socket to listen on. Empty for none."),
            Setting(
                "unixsocketperm", \.unixSocketPermissions, .permissions, isLive: false,
                docs: """
                    The permissions of the unix socket, in octal digits such as 700. 0 leaves \
                    what the umask gave.
                    """),
            Setting(
                "protected-mode", \.protectedMode, .yesNo,
                docs: """
                    Refuse clients from other machines as long as no password is set, so that \
                    a server which was bound to a public address by mistake is not open to all.
                    """),
        ])

    private static let clients = SettingSection<ServerSettings>(
        "Clients",
        [
            Setting(
                "maxclients", \.clientCountMax, .integer(1...Int(UInt32.max)),
                docs: "Open connections. A client above this number gets an error and is closed."),
            Setting(
                "timeout", \.idleTimeout, .seconds(0...Int(Int32.max)),
                docs: """
                    Close a client that was silent for this long; 0 never does. Subscribers are \
                    not closed.
                    """),
            Setting(
                "tcp-keepalive", \.tcpKeepAlive, .seconds(0...Int(Int32.max)),
                docs: """
                    Probe silent TCP connections this often, so that dead peers are noticed; 0 \
                    never does.
                    """),
            Setting(
                "client-output-buffer-limit", \.outputBufferLimits, .outputBufferLimits,
                docs: """
                    Drop a client that does not read its replies: at once above the first \
                    number of bytes, or after being above the second number for so many \
                    seconds. 0 is no limit. `pubsub` is for subscribers, `normal` for all \
                    others; `replica` is accepted and has no effect.
                    """),
            Setting(
                "client-query-buffer-limit", \.queryBufferByteCountMax,
                .byteCount((1 << 20)...Int.max),
                docs: "Bytes of one unfinished request. A client above it is dropped."),
            Setting(
                "proto-max-bulk-len", \.bulkByteCountMax, .byteCount((1 << 20)...Int.max),
                docs: "Bytes of one argument. A client that announces more is dropped."),
        ])

    private static let memory = SettingSection<ServerSettings>(
        "Batches and notifications",
        [
            Setting(
                "batch-tombstone-secs", \.batchTombstone, .seconds(0...Int(Int32.max)),
                docs: """
                    How long the id of an ended batch is remembered: that long a late write to \
                    it is refused with BATCHENDED.
                    """),
            Setting(
                "gc-log-max-len", \.deletionLogLengthMax, .integer(1...Int(Int32.max)),
                docs: """
                    Entries that the deletion log `gc:log` keeps for node managers that are \
                    away. A node manager that missed more compares its whole store instead.
                    """),
            Setting(
                "reference-counting", \.referenceCounting, .yesNo,
                docs: """
                    Free an object everywhere once it had references (GCS.REF) and lost its last \
                    one, whatever its batch, unless it is kept or pinned. Objects that lost \
                    theirs before this was set stay until their batch ends.
                    """),
            Setting(
                "node-timeout-secs", \.nodeTimeout, .seconds(0...Int(Int32.max)),
                docs: """
                    Count a registered node as lost that sent no heartbeat for this long, and \
                    forget what its processes hold; 0 never does. Node managers send one every \
                    second, so that 30 is a machine that is gone and not one that is busy.
                    """),
            Setting(
                "notify-keyspace-events", \.keyspaceEvents, .keyspaceEvents,
                docs: """
                    Publish events of keys: K on `__keyspace@0__:<key>`, E on \
                    `__keyevent@0__:<event>`, and the classes g (generic), $ (strings), l \
                    (lists), s (sets), h (hashes), z (sorted sets), x (expired), e (evicted), t \
                    (streams), d (modules), n (new keys), m (missed keys), A (all but n and m). \
                    Empty publishes none.
                    """),
            Setting(
                "databases", \.databaseCount, .integer(1...1), isLive: false,
                docs: "There is one database, number 0."),
        ])

    private static let persistence = SettingSection<ServerSettings>(
        "Persistence",
        [
            Setting(
                "dir", \.directory, .text, isLive: false, example: "\"/var/lib/gcs\"",
                docs: """
                    Where the append-only file, snapshots and flushed records lie: a local disk. It \
                    must be there; a file `gcs.lock` in it keeps a second server out. Have room \
                    for three times what the records take, and 1 GB more.
                    """),
            Setting(
                "appendonly", \.appendOnly, .yesNo,
                docs: """
                    Write every change to the append-only file, so that nothing is lost when the \
                    server ends. With `no`, a restart finds the last snapshot, or nothing. \
                    Switched on while the server runs, everything there is goes to it first; \
                    until that is done (INFO: aof_rewrite_in_progress:0) a restart finds what was \
                    there before. When it cannot be written (a full disk), writes are refused \
                    with MISCONF, reads go on, and so do writes once there is room again.
                    """),
            Setting(
                "appendfsync", \.appendSync, .choice,
                docs: """
                    When the append-only file is made durable. `always`: before a change is \
                    answered or a deletion is published, so that nothing answered is ever lost. \
                    `everysec`: once a second; a machine that crashes loses about the last second \
                    (1.5 s, or longer when the disk takes longer for a sync), a process that \
                    crashes what it had not written yet. `no`: when the system does.
                    """),
            Setting(
                "appenddirname", \.appendFolder, .text, isLive: false,
                docs: "The folder of the append-only file, in `dir`."),
            Setting(
                "appendfilename", \.appendFileName, .text, isLive: false,
                docs: "What the names of the append-only file's segments begin with."),
            Setting(
                "dbfilename", \.snapshotName, .text, isLive: false,
                docs: """
                    The snapshot that SAVE and BGSAVE write, in `dir`. It is loaded at the start \
                    when there is no append-only file to load.
                    """),
        ])

    private static let flushing = SettingSection<ServerSettings>(
        "Flushing",
        [
            Setting(
                "flush-policy", \.flushPolicy, .choice,
                docs: """
                    What moves old task and object records out of memory. `simple`: hold the \
                    window of `flush-when-at-least-bytes`. `age`: whatever was not written for \
                    `flush-older-than-secs`, however much memory there is. `none`: only \
                    GCS.FLUSH does.
                    """),
            Setting(
                "flush-when-at-least-bytes", \.flushWindowByteCount,
                .byteCount((1 << 20)...(1 << 50)),
                docs: """
                    The window: nothing is flushed below this much memory held by records. \
                    Above it the oldest leave memory, as many as needed to stay near it. Writes \
                    that the disk cannot keep up with wait at an eighth above. Indexes of the \
                    records come on top, and what the process needs besides.
                    """),
            Setting(
                "flush-period-secs", \.flushPeriod, .seconds(1...86_400),
                docs: "How often the policy flushes."),
            Setting(
                "flush-num-entries-each-time", \.flushRecordCountPerPeriod,
                .integer(1...Int(Int32.max)),
                docs: """
                    Records flushed in each period while memory is at the window or above: at \
                    least so many. More when writes outrun it, so that the window holds. Also \
                    what GCS.FLUSH without a count flushes.
                    """),
            Setting(
                "flush-older-than-secs", \.flushAge, .seconds(0...Int(Int32.max)),
                docs: "What the policy `age` flushes: records not written for this long."),
            Setting(
                "flush-target", \.flushTarget, .choice,
                docs: """
                    `disk`: flushed records are in `flushed` under `dir`, and read from there. \
                    `discard`: they are gone, as in Ray's original.
                    """),
        ])

    private static let general = SettingSection<ServerSettings>(
        "General",
        [
            Setting(
                "loglevel", \.logLevel, .choice,
                docs: "How much is logged; each level includes those after it."),
            Setting(
                "logfile", \.logFilePath, .text, isLive: false,
                example: "\"/var/log/gcs/gcs-server.log\"",
                docs: "The file to log to. Empty logs to standard output."),
            Setting(
                "pidfile", \.pidFilePath, .text, isLive: false,
                example: "\"/run/gcs/gcs-server.pid\"",
                docs: "A file to write the process id to. Empty writes none."),
            Setting(
                "server-cpulist", \.loopProcessors, .processors, isLive: false, example: "0",
                docs: """
                    The processors that the thread which serves clients runs on. Empty leaves it \
                    to the system. Where all processors are busy, one that neither clients nor \
                    `bio-cpulist` use keeps replies from waiting for some milliseconds at times.
                    """),
            Setting(
                "bio-cpulist", \.diskProcessors, .processors, isLive: false, example: "1-3",
                docs: """
                    The processors that the threads for the append-only file and for flushed \
                    records run on. Empty leaves it to the system.
                    """),
        ])
}
