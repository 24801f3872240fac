import Settings
import Testing

@Suite struct SettingTableTests {
    let table = ServerSettings.table

    private func refusal(_ name: String, _ text: String) -> String? {
        var values = ServerSettings()
        do throws(SettingError) {
            try table.set(name, text, in: &values, at: .runTime)
            return nil
        } catch {
            #expect(values == ServerSettings(), "a refused value changed something")
            return error.reply
        }
    }

    @Test(
        "words refusals as Redis 7.0.15 does",
        arguments: [
            ("nope", "1", "ERR Unknown option or number of arguments for CONFIG SET - 'nope'"),
            ("maxclients", "0", "argument must be between 1 and 4294967295 inclusive"),
            ("maxclients", "4294967296", "argument must be between 1 and 4294967295 inclusive"),
            ("maxclients", "abc", "argument couldn't be parsed into an integer"),
            ("maxclients", "", "argument couldn't be parsed into an integer"),
            ("maxclients", " 12", "argument couldn't be parsed into an integer"),
            ("maxclients", "007", "argument couldn't be parsed into an integer"),
            ("maxclients", "+7", "argument couldn't be parsed into an integer"),
            (
                "maxclients", "99999999999999999999",
                "argument couldn't be parsed into an integer"
            ),
            ("timeout", "-1", "argument must be between 0 and 2147483647 inclusive"),
            ("timeout", "1s", "argument couldn't be parsed into an integer"),
            ("protected-mode", "maybe", "argument must be 'yes' or 'no'"),
            ("proto-max-bulk-len", "1xx", "argument must be a memory value"),
            ("proto-max-bulk-len", "-1", "argument must be a memory value"),
            ("proto-max-bulk-len", "9999999999gb", "argument must be a memory value"),
            (
                "proto-max-bulk-len", "1k",
                "argument must be between 1048576 and 9223372036854775807 inclusive"
            ),
            (
                "loglevel", "loud",
                "argument(s) must be one of the following: debug, verbose, notice, warning"
            ),
            ("databases", "1", "can't set immutable config"),
            ("server-cpulist", "0", "can't set immutable config"),
            (
                "notify-keyspace-events", "KEQ",
                "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."
            ),
            (
                "client-output-buffer-limit", "normal 1mb 2mb",
                "Wrong number of arguments in buffer limit configuration."
            ),
            (
                "client-output-buffer-limit", "what 1mb 2mb 3",
                "Invalid client class specified in buffer limit configuration."
            ),
            (
                "client-output-buffer-limit", "normal 1 2mb -3",
                "Error in hard, soft or soft_seconds setting in buffer limit configuration."
            ),
        ])
    func refusals(_ name: String, _ text: String, _ expected: String) {
        let prefix = "ERR CONFIG SET failed (possibly related to argument '\(name)') - "
        #expect(refusal(name, text) == (expected.hasPrefix("ERR") ? "" : prefix) + expected)
    }

    @Test("takes values at the edges of their range")
    func edges() throws {
        var values = ServerSettings()
        try table.set("maxclients", "1", in: &values, at: .runTime)
        #expect(values.clientCountMax == 1)
        try table.set("maxclients", "4294967295", in: &values, at: .runTime)
        #expect(values.clientCountMax == 4_294_967_295)
        try table.set("port", "65535", in: &values, at: .start)
        #expect(values.port == 65535)
        try table.set("unixsocketperm", "777", in: &values, at: .start)
        #expect(values.unixSocketPermissions == 0o777)
    }

    @Test("takes names and words in any case, and underscores for hyphens")
    func spelling() throws {
        var values = ServerSettings()
        try table.set("BATCH_Tombstone_secs", "5", in: &values, at: .runTime)
        try table.set("LogLevel", "WARNING", in: &values, at: .runTime)
        try table.set("protected_mode", "NO", in: &values, at: .runTime)
        #expect(values.batchTombstone == .seconds(5))
        #expect(values.logLevel == .warning)
        #expect(!values.protectedMode)
    }

    @Test("sets all of several values or none")
    func allOrNothing() throws {
        var values = ServerSettings()
        #expect(
            throws: SettingError(
                name: "timeout",
                reason: .value(
                    "argument couldn't be parsed into an integer"))
        ) {
            try table.set(
                [("maxclients", "7"), ("timeout", "x")], in: &values, at: .runTime)
        }
        #expect(values == ServerSettings())
        try table.set([("maxclients", "7"), ("timeout", "8")], in: &values, at: .runTime)
        #expect(values.clientCountMax == 7)
        #expect(values.idleTimeout == .seconds(8))
    }

    @Test("refuses a name given twice, under any spelling")
    func duplicates() {
        var values = ServerSettings()
        #expect(throws: SettingError(name: "Tcp_Keepalive", reason: .duplicate)) {
            try table.set(
                [("tcp-keepalive", "7"), ("Tcp_Keepalive", "7")], in: &values, at: .runTime)
        }
        #expect(values == ServerSettings())
    }

    @Test("lists what a pattern matches, each setting once, in the order of the example file")
    func globs() {
        let values = ServerSettings()
        func names(_ patterns: String...) -> [String] {
            table.get(patterns, from: values).map(\.name)
        }
        #expect(names("maxcl*") == ["maxclients"])
        #expect(names("MAXC?IENTS", "[l-m]axclients", "maxclients") == ["maxclients"])
        #expect(names("tcp-*", "port") == ["port", "tcp-backlog", "tcp-keepalive"])
        #expect(names("gc_log_max_len") == ["gc_log_max_len"])
        #expect(names("nope", "\\maxclients") == [])
        #expect(names("*") == table.names)
    }

    @Test(
        "prints values as CONFIG GET does",
        arguments: [
            ("bind", "127.0.0.1 -::1"), ("port", "6379"), ("unixsocket", ""),
            ("unixsocketperm", "0"), ("tcp-backlog", "511"), ("timeout", "0"),
            ("tcp-keepalive", "300"), ("maxclients", "10000"), ("databases", "1"),
            ("client-query-buffer-limit", "1073741824"), ("proto-max-bulk-len", "536870912"),
            ("notify-keyspace-events", ""), ("loglevel", "notice"), ("protected-mode", "yes"),
            ("batch-tombstone-secs", "3600"), ("gc-log-max-len", "1000000"),
            (
                "client-output-buffer-limit",
                "normal 268435456 67108864 60 slave 268435456 67108864 60 "
                    + "pubsub 33554432 8388608 60"
            ),
        ])
    func defaults(_ name: String, _ text: String) {
        #expect(table.get([name], from: ServerSettings()).map(\.text) == [text])
    }

    @Test("takes back every value that it prints")
    func roundTrip() throws {
        var values = ServerSettings()
        values.bind = ["10.0.0.1"]
        values.keyspaceEvents = [.keyeventChannel, .expired]
        values.outputBufferLimits.pubsub.hardByteCount = 12_345
        values.idleTimeout = .seconds(9)
        var copy = ServerSettings()
        for (name, text) in table.get(["*"], from: values) {
            try table.set(name, text, in: &copy, at: .start)
        }
        #expect(copy == values)
    }

    @Test("changes only the classes of clients that are named")
    func bufferClasses() throws {
        var values = ServerSettings()
        let text = "NORMAL 1mb 2k 60 slave 1 2 3"
        try table.set("client-output-buffer-limit", text, in: &values, at: .runTime)
        #expect(
            table.get(["client-output*"], from: values).map(\.text) == [
                "normal 1048576 2000 60 slave 1 2 3 pubsub 33554432 8388608 60"
            ])
    }
}
