internal import ControlStore
internal import Settings

extension ServerState {
    /// The text of INFO.
    ///
    /// - Parameter wanted: section names in small letters; none for the usual ones.
    mutating func information(_ wanted: Set<String>) -> String {
        let isAll = !wanted.isDisjoint(with: ["all", "everything"])
        let isUsual = wanted.isEmpty || wanted.contains("default") || isAll
        var text = ""
        func add(_ title: String, isUsual isListed: Bool = true, _ lines: () -> [String]) {
            guard wanted.contains(title.lowercased()) || isListed && isUsual || isAll else {
                return
            }
            text += (text.isEmpty ? "" : "\r\n") + "# \(title)\r\n"
            for line in lines() { text += line + "\r\n" }
        }
        add("Server") { serverLines }
        add("Clients") { clientLines }
        add("Memory") { memoryLines }
        add("Persistence") { persistenceLines }
        add("Stats") { statisticsLines }
        add("Replication") { ["role:master", "connected_slaves:0", "master_repl_offset:0"] }
        add("CPU") { processorLines }
        add("Commandstats", isUsual: false) { commandLines }
        add("Keyspace") { ["db0:keys=\(store.keyCount),expires=\(store.deadlineCount),avg_ttl=0"] }
        add("GCS") { gcsLines }
        add("Flush") { flushLines }
        return text
    }

    private var uptimeSeconds: Int64 { (unixMicroseconds - startedAt) / 1_000_000 }

    private var serverLines: [String] {
        [
            "redis_version:\(Version.redis)", "gcs_version:\(Version.number)",
            "server_name:swift-gcs",
            "redis_mode:standalone", "os:Linux", "arch_bits:64", "multiplexing_api:libevent",
            "process_id:\(host.processID)", "run_id:\(runID)", "tcp_port:\(host.port)",
            "server_time_usec:\(unixMicroseconds)", "uptime_in_seconds:\(uptimeSeconds)",
            "uptime_in_days:\(uptimeSeconds / 86400)", "executable:\(host.executable)",
            "config_file:\(host.configurationFile)",
        ]
    }

    private var clientLines: [String] {
        let blocked = waiting.count { $0.pointee.pending != nil }
        let subscribed = sessions.count { $0.pointee.subscriptionCount > 0 }
        return [
            "connected_clients:\(sessions.count)", "maxclients:\(settings.clientCountMax)",
            "blocked_clients:\(blocked)", "pubsub_clients:\(subscribed)",
        ]
    }

    private var memoryLines: [String] {
        let used = store.mappedByteCount
        let resident = host.residentByteCount()
        return [
            "used_memory:\(used)", "used_memory_human:\(Self.human(used))",
            "used_memory_rss:\(resident)", "used_memory_rss_human:\(Self.human(resident))",
            "maxmemory:0", "maxmemory_human:0B", "maxmemory_policy:noeviction",
            "lazyfree_pending_objects:\(store.isFreeing ? 1 : 0)",
        ]
    }

    private var statisticsLines: [String] {
        [
            "total_connections_received:\(statistics.connectionCount)",
            "total_commands_processed:\(statistics.commandCount)",
            "total_net_input_bytes:\(statistics.inputByteCount)",
            "total_net_output_bytes:\(statistics.outputByteCount)",
            "rejected_connections:\(statistics.rejectedConnectionCount)",
            "expired_keys:\(statistics.expiredBatchCount)", "evicted_keys:0",
            "total_error_replies:\(statistics.errorCount)",
            "pubsub_channels:\(channels.channelCount)",
            "pubsub_patterns:\(channels.patterns.count)",
            "client_output_buffer_limit_disconnections:\(statistics.outputLimitCount)",
        ]
    }

    private var processorLines: [String] {
        let (user, system) = host.processorSeconds()
        return ["used_cpu_sys:\(Self.decimal(system))", "used_cpu_user:\(Self.decimal(user))"]
    }

    private var commandLines: [String] {
        commands.fullNames.indices.filter { statistics.calls[$0] > 0 }.map { position in
            "cmdstat_\(commands.fullNames[position]):calls=\(statistics.calls[position])"
        }
    }

    private var gcsLines: [String] {
        [
            "gcs_batches:\(store.batchCount)", "gcs_tasks:\(store.taskCount)",
            "gcs_objects:\(store.objectCount)", "gcs_actors:\(store.actorCount)",
            "gcs_references:\(store.referenceCount)", "gcs_nodes:\(store.registeredNodeCount)",
            "gcs_tombstones:\(store.tombstoneCount)",
            "gcs_log_length:\(store.log.count)", "gcs_log_last_id:\(store.log.lastID)",
            "gcs_freeing:\(store.isFreeing ? 1 : 0)",
        ]
    }

    /// A count of bytes as people read it: `1.50M`.
    private static func human(_ byteCount: Int) -> String {
        var value = Double(byteCount)
        for unit in ["B", "K", "M", "G"] {
            if value < 1024 {
                return unit == "B" ? "\(byteCount)B" : decimal(value, places: 2) + unit
            }
            value /= 1024
        }
        return decimal(value, places: 2) + "T"
    }

    private static func decimal(_ value: Double, places: Int = 6) -> String {
        var scale: Int64 = 1
        for _ in 0..<places { scale *= 10 }
        let scaled = Int64((value * Double(scale)).rounded())
        let fraction = String(scaled % scale)
        return "\(scaled / scale)." + String(repeating: "0", count: places - fraction.count)
            + fraction
    }
}
