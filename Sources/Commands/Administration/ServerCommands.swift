internal import ControlStore
internal import RESP
internal import Settings

extension Command {
    static let dbsize = Command(
        "DBSIZE", "Counts the keys; GC:0 and gc:log are always there.", group: .server,
        flags: [.readOnly, .fast], reply: "integer"
    ) { call in call.reply.integer(call.store.keyCount) }

    static let time = Command(
        "TIME", "Tells the server's time.", group: .server, flags: [.fast],
        reply: "array: seconds since 1970, microseconds"
    ) { call in
        let time = call.state.pointee.unixMicroseconds
        call.reply.array(2)
        call.reply.bulk(decimal: time / 1_000_000)
        call.reply.bulk(decimal: time % 1_000_000)
    }

    static let flushall = flush("FLUSHALL")
    static let flushdb = flush("FLUSHDB")

    private static func flush(_ name: String) -> Command {
        Command(
            name,
            "Forgets all batches, records and nodes, as after a restart; nothing is announced.",
            group: .server, complexity: "O(batches)", flags: [.write],
            arguments: [.words("mode", ["ASYNC", "SYNC"]).optional], reply: "status: OK"
        ) { (call) throws(CommandError) in
            if !call.option("ASYNC") { _ = call.option("SYNC") }
            try call.end()
            call.store.reset()
            call.reply.ok()
        }
    }

    static let shutdown = Command(
        "SHUTDOWN", "Ends the server.", group: .server, flags: [.admin],
        arguments: [
            .words("save", ["NOSAVE", "SAVE"]).optional, .flag("NOW").optional,
            .flag("FORCE").optional,
            .flag("ABORT").optional,
        ], reply: "nothing: the connection ends"
    ) { (call) throws(CommandError) in
        while call.words.left > 0 {
            if call.option("ABORT") { throw .text("ERR No shutdown in progress.") }
            guard
                call.option("NOSAVE") || call.option("SAVE") || call.option("NOW")
                    || call.option("FORCE")
            else { throw .syntax }
        }
        call.state.pointee.isShuttingDown = true
    }

    static let info = Command(
        "INFO", "Tells about the server, in sections.", group: .server,
        complexity: "O(commands) for commandstats", flags: [],
        arguments: [.string("section").many.optional], reply: "text"
    ) { (call) throws(CommandError) in
        var sections: Set<String> = []
        while call.words.left > 0 { sections.insert(try call.word().text.lowercased()) }
        call.reply.verbatim(call.state.pointee.information(sections))
    }

    static let config = Command(
        "CONFIG", "Reads and changes settings.", group: .server,
        subcommands: [
            Command(
                "GET", "Tells the settings that match.", group: .server, complexity: "O(settings)",
                flags: [.admin], arguments: [.pattern().many], reply: "map: name, value"
            ) { (call) throws(CommandError) in
                var patterns: [String] = []
                while call.words.left > 0 { patterns.append(try call.word().text) }
                let found = ServerSettings.table.get(patterns, from: call.state.pointee.settings)
                call.reply.map(found.count)
                for (name, text) in found {
                    call.reply.bulk(text: name)
                    call.reply.bulk(text: text)
                }
            },
            Command(
                "SET", "Changes settings: all of them, or none.", group: .server,
                complexity: "O(settings)", flags: [.admin],
                arguments: [.block("settings", .string("parameter"), .string("value")).many],
                reply: "status: OK"
            ) { (call) throws(CommandError) in
                guard call.words.left % 2 == 0 else { throw .wrongArity }
                var pairs: [(name: String, text: String)] = []
                while call.words.left > 0 {
                    pairs.append((try call.word().text, try call.word().text))
                }
                var settings = call.state.pointee.settings
                do throws(SettingError) {
                    try ServerSettings.table.set(pairs, in: &settings, at: .runTime)
                } catch {
                    throw .text(error.reply)
                }
                if settings.appendOnly, !call.state.pointee.settings.appendOnly,
                    let problem = call.state.pointee.host.probeLog(
                        settings, call.state.pointee.persistence.isDirectoryLocked)
                {
                    throw .text("ERR CONFIG SET failed (appendonly): \(problem)")
                }
                call.state.pointee.settings = settings
                call.state.pointee.settingsChanged()
                call.reply.ok()
            },
            Command(
                "REWRITE", "Writes the settings to the file that the server was started with.",
                group: .server, flags: [.admin], reply: "status: OK"
            ) { (call) throws(CommandError) in
                if let problem = call.state.pointee.host.rewriteSettings(
                    call.state.pointee.settings)
                {
                    throw .text("ERR \(problem)")
                }
                call.reply.ok()
            },
            Command(
                "RESETSTAT", "Sets the counters of INFO to zero.", group: .server, flags: [.admin],
                reply: "status: OK"
            ) { call in
                call.state.pointee.statistics.reset()
                call.reply.ok()
            },
        ])
}
