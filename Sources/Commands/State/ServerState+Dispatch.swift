internal import ControlStore
public import RESP
internal import Settings

extension ServerState {
    /// Carries out one request: admission, the command, its announcements.
    ///
    /// Static over a pointer: the command changes the state while it runs.
    @inline(__always)
    public static func execute(
        _ words: Words, of session: SessionPointer, _ state: UnsafeMutablePointer<ServerState>,
        isReady: Bool = false
    ) {
        let start = state.pointee.output.count
        state.pointee.output.version = session.pointee.version
        state.pointee.statistics.commandCount &+= 1
        var position = state.pointee.commands.find(words[0])
        if position >= 0, words.count > 1, state.pointee.commands.isContainer(position) {
            let container = position
            position = state.pointee.commands.find(words[1], parent: container)
            if position < 0 { position = -2 - container }
        }
        if position < 0 {
            refuseUnknown(words, position, session, state)
        } else if admits(position, words, session, state) {
            if state.pointee.flush.isWatching, !isReady,
                state.pointee.mustWait(position, words, session)
            {
                state.pointee.statistics.commandCount &-= 1
                return
            }
            run(position, words, session, state)
        }
        if session.pointee.replyMode != .on { silence(session, from: start, state) }
        if !state.pointee.store.announcements.isEmpty { state.pointee.announceDeletions() }
    }

    @inline(__always)
    private static func run(
        _ position: Int, _ words: Words, _ session: SessionPointer,
        _ state: UnsafeMutablePointer<ServerState>
    ) {
        var call = Call(state: state, session: session, words: words)
        call.words.position = state.pointee.commands.argumentPosition(position)
        session.pointee.lastCommand = position
        state.pointee.statistics.calls[position] &+= 1
        guard let handler = state.pointee.commands.commands[position].handler else { return }
        do throws(CommandError) {
            try handler(&call)
        } catch {
            refuse(error, position, state)
        }
    }

    @inline(never)
    private static func refuse(
        _ error: CommandError, _ position: Int, _ state: UnsafeMutablePointer<ServerState>
    ) {
        state.pointee.statistics.errorCount += 1
        state.pointee.output.error(error.text(for: state.pointee.commands.fullNames[position]))
    }

    /// Whether the command may run now; if not, the refusal is written.
    @inline(__always)
    private static func admits(
        _ position: Int, _ words: Words, _ session: SessionPointer,
        _ state: UnsafeMutablePointer<ServerState>
    ) -> Bool {
        guard state.pointee.commands.accepts(position, wordCount: words.count) else {
            refuse(.wrongArity, position, state)
            return false
        }
        if state.pointee.isRestricted, !admitsRestricted(position, state) { return false }
        guard session.pointee.isInSubscribeMode else { return true }
        return admitsSubscriber(position, state)
    }

    @inline(never)
    private static func admitsRestricted(
        _ position: Int, _ state: UnsafeMutablePointer<ServerState>
    ) -> Bool {
        let command = state.pointee.commands.commands[position]
        let name = state.pointee.commands.fullNames[position]
        if state.pointee.isLoading {
            let isAllowed =
                command.group == .connection || command.group == .pubSub
                || ["info", "command", "shutdown", "lastsave", "gcs.load"].contains(name)
                || name.hasPrefix("config|") || name.hasPrefix("command|")
            // ECHO as Redis has it: redis-cli --pipe ends with one, and loads a log into a server.
            if isAllowed, name != "ping" { return true }
            refuse(.text("LOADING Redis is loading the dataset in memory"), position, state)
            return false
        }
        guard command.flags.contains(.write) else { return true }
        let reason = state.pointee.persistence.error
        refuse(.text("MISCONF Errors writing to the AOF file: \(reason)"), position, state)
        return false
    }

    @inline(never)
    private static func admitsSubscriber(
        _ position: Int, _ state: UnsafeMutablePointer<ServerState>
    ) -> Bool {
        if state.pointee.commands.commands[position].flags.contains(.whileSubscribed) {
            return true
        }
        let name = state.pointee.commands.fullNames[position]
        refuse(
            .text(
                "ERR Can't execute '\(name)': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / "
                    + "RESET are allowed in this context"),
            position, state)
        return false
    }

    @inline(never)
    private static func refuseUnknown(
        _ words: Words, _ position: Int, _ session: SessionPointer,
        _ state: UnsafeMutablePointer<ServerState>
    ) {
        state.pointee.statistics.errorCount += 1
        if words[0].matches("POST") || words[0].matches("HOST:") {
            // A browser was made to speak to this port: nothing of the page it sends is carried out.
            state.pointee.host.log(
                .warning,
                "client \(session.pointee.id) at \(session.pointee.peer) speaks HTTP: dropped")
            return state.pointee.end(session, .dropped)
        }
        if position <= -2 {
            let name = state.pointee.commands.commands[-2 - position].name
            let word = words[1].text.prefix(128)
            state.pointee.output.error("ERR unknown subcommand '\(word)'. Try \(name) HELP.")
            return
        }
        var arguments = ""
        for index in 1..<max(words.count, 1) where arguments.utf8.count < 128 {
            arguments += "'\(words[index].text.prefix(128))' "
        }
        state.pointee.output.error(
            "ERR unknown command '\(words[0].text.prefix(128))', with args beginning with: \(arguments)"
        )
    }

    @inline(never)
    private static func silence(
        _ session: SessionPointer, from start: Int, _ state: UnsafeMutablePointer<ServerState>
    ) {
        switch session.pointee.replyMode {
        case .on: return
        case .off: state.pointee.output.truncate(to: start)
        case .skipNext: session.pointee.replyMode = .skipThis
        case .skipThis:
            state.pointee.output.truncate(to: start)
            session.pointee.replyMode = .on
        }
    }
}
