internal import AppendOnlyFile
internal import Commands
internal import ControlStore
internal import EventLoop
internal import Platform
internal import RESP
internal import Server
internal import Settings

/// The append-only file and the snapshots of the running server: loads them, feeds them, begins them
/// anew.
final class LogKeeper {
    let loop: Loop
    let core: UnsafeMutablePointer<Server>
    let log: LogFile
    private let directory: LogDirectory
    let snapshotDirectory: LogDirectory
    private(set) var settings: ServerSettings
    /// Where the threads of logs run.
    let diskProcessors: ProcessorSet?
    var lock: DirectoryLock? {
        didSet { state.pointee.persistence.isDirectoryLocked = lock != nil }
    }
    private var loading: Loading?
    /// Whether everything is loaded but what is on disk.
    private var isRestoring = false
    private var toldCount = 0
    var writer: LogWriter?
    private var watch: Watch?
    var rewriting: Rewriting?
    var saving: Rewriting?
    var savingWatch: Watch?
    private(set) var cleaner = LogCleaner()
    var lastToken: UInt64 = 0
    /// Behind all changes that were handed to the writer.
    private var position: UInt64 = 0
    /// Bytes that were handed to it in the last turn.
    private var writtenByteCount = 0
    /// Whether connections are not read because the disk is behind.
    var isCongested = false
    /// When that was last logged; and whether the present time was.
    var congestionTold = (at: Int64.min / 2, isTold: false)
    /// Whether writes were refused when the last turn ended: nothing can be written.
    private var isRefusing = false

    /// What is being loaded.
    private struct Loading: ~Copyable {
        var reader: LogReader
        let isSnapshot: Bool
        let startedAt: Int64
        var toldPercent = 0
        /// Whether everything is read, and only what follows from it is to be worked out.
        var isRead = false
    }

    /// A walk over everything there is, on its way to a file.
    struct Rewriting {
        var walk = JournalWalk()
        let writer: LogWriter
        let token: UInt64
        let startedAt: Int64
        var isWalked = false
        /// Removals from the disk that must be done before older parts of the log go.
        var removalsAwaited: UInt64?
    }

    /// Bytes that are read in a turn while loading.
    private static let loadByteCount = 512 << 10
    /// Records that a turn looks at after that.
    private static let finishCount = 2000

    init(
        _ loop: Loop, _ core: UnsafeMutablePointer<Server>, _ settings: ServerSettings,
        _ log: LogFile, on diskProcessors: ProcessorSet?
    ) throws(LogError) {
        self.loop = loop
        self.diskProcessors = diskProcessors
        self.core = core
        self.settings = settings
        self.log = log
        directory = LogProbe.directory(settings)
        snapshotDirectory = LogDirectory(
            snapshot: settings.directory + "/" + settings.snapshotName)
        let source = settings.appendOnly && directory.hasLog ? directory : snapshotDirectory
        if settings.appendOnly || source.hasLog {
            lock = try DirectoryLock(settings.directory)
            core.pointee.state.pointee.persistence.isDirectoryLocked = true
        }
        guard source.hasLog else {
            if settings.appendOnly { try open(after: [], isWhole: true, firstMark: 1) }
            return
        }
        let reader = try LogReader(source)
        if let cut = reader.cut {
            log.write(
                .warning,
                "the append-only file ended within a group: \(cut.byteCount) bytes are cut off, "
                    + "they are in \(cut.path)")
        }
        if source.path == directory.path { core.pointee.state.pointee.store.expectDisk() }
        core.pointee.state.pointee.isLoading = true
        core.pointee.state.pointee.persistence.loading = (
            reader.byteCount, 0, SystemClock.unixMilliseconds / 1000
        )
        loading = Loading(
            reader: reader, isSnapshot: source.path == snapshotDirectory.path,
            startedAt: SystemClock.unixMilliseconds)
    }

    var state: UnsafeMutablePointer<ServerState> { core.pointee.state }

    /// Behind all that was handed to the log, and how far it is durable; `nil` without a log.
    var durability: (position: UInt64, synced: UInt64)? {
        writer.map { (position, $0.status.synced) }
    }

    /// Has the log made durable soon, whatever `appendfsync` says.
    func sync() { writer?.requestSync() }

    // MARK: Loading

    /// Loads a slice.
    ///
    /// - Returns: whether there is more.
    func load() throws(LogError) -> Bool {
        guard loading != nil else { return false }
        if isRestoring { return try restore() }
        let state = state
        guard loading?.isRead == false else {
            if state.pointee.store.finishLoading(budget: Self.finishCount) { return true }
            try finishLoading()
            return false
        }
        let isMore = try loading?.reader.read(budget: Self.loadByteCount) { words in
            var words = words
            words.position = 1
            var change = Change(words: words)
            do throws(CommandError) {
                let name = try change.name()
                try change.apply(name, to: &state.pointee.store)
                return nil
            } catch {
                return error.text(for: "gcs.load")
            }
        }
        tellProgress()
        if case .failed = state.pointee.store.diskRestoration { return try restore() }
        if isMore == true { return true }
        isRestoring = true
        state.pointee.store.restoreFlushed()
        return try restore()
    }

    /// Waits until the records on disk are listed.
    private func restore() throws(LogError) -> Bool {
        switch state.pointee.store.diskRestoration {
        case .expected: return false
        case .underWay(let count):
            if count >= toldCount + 1_000_000 {
                toldCount = count
                log.write(.notice, "loading: \(count) flushed records are on disk so far")
            }
            return false
        case .failed(let reason): throw .flushed(reason: reason)
        case .none: break
        case .done(let count): log.write(.notice, "\(count) flushed records are on disk")
        }
        isRestoring = false
        loading?.isRead = true
        return true
    }

    private func tellProgress() {
        guard let total = loading?.reader.byteCount, let done = loading?.reader.readByteCount,
            let told = loading?.toldPercent
        else { return }
        state.pointee.persistence.loading.loadedByteCount = done
        let percent = total == 0 ? 100 : done * 100 / total
        guard percent >= told + 10, total > Self.loadByteCount * 20 else { return }
        loading?.toldPercent = percent
        log.write(.notice, "loading: \(percent) % of \(total >> 20) MiB")
    }

    private func finishLoading() throws(LogError) {
        guard let loaded = loading.take() else { return }
        let milliseconds = SystemClock.unixMilliseconds - loaded.startedAt
        log.write(
            .notice,
            "loaded \(loaded.reader.changeCount) changes, \(loaded.reader.byteCount) bytes, from "
                + "the \(loaded.isSnapshot ? "snapshot" : "append-only file") in "
                + "\(milliseconds) ms")
        if settings.appendOnly {
            if loaded.isSnapshot {
                try startAnew()
            } else {
                try open(
                    after: loaded.reader.segments, isWhole: true, firstMark: loaded.reader.nextMark)
            }
        }
        state.pointee.store.resumeLoaded()
        state.pointee.isLoading = false
    }

    // MARK: Writing

    private func open(
        after segments: [Int], isWhole: Bool, firstMark: UInt64
    ) throws(LogError) {
        if lock == nil { lock = try DirectoryLock(settings.directory) }
        let opened = try LogWriter(
            directory, segments: segments, isWhole: isWhole, firstMark: firstMark,
            sync: settings.appendSync.sync, version: JournalFormat.version, on: diskProcessors)
        writer = opened
        position = 0
        cleaner.stop(&state.pointee.store)
        cleaner = LogCleaner()
        watch = Watch(loop, opened.changed, .readable) { [unowned self] in statusChanged() }
        state.pointee.store.startJournal()
        state.pointee.store.setLogSegment(opened.status.segments.last ?? 0)
        state.pointee.persistence.isOn = true
        state.pointee.persistence.baseByteCount = opened.status.byteCount
        log.write(.notice, "the append-only file is \(directory.path)")
    }

    /// Begins the append-only file with what there is; until that is written there is none.
    private func startAnew() throws(LogError) {
        try open(after: [], isWhole: false, firstMark: 1)
        guard let writer else { return }
        rewriting = Rewriting(writer: writer, token: 0, startedAt: SystemClock.unixMilliseconds)
        state.pointee.persistence.rewrite.startedAt = SystemClock.unixMilliseconds / 1000
    }

    /// Whether replies wait until the log is on the disk, or behind some that do: then the turn's are sent after
    /// `keep()`.
    var isAwaited: Bool {
        settings.appendSync == .always || state.pointee.settings.appendSync == .always
            || !state.pointee.held.isEmpty
    }

    /// Hands the turn's changes on, with a slice of what is walked over; after `work()`.
    ///
    /// - Returns: whether there is more to walk over.
    func keep() -> Bool {
        guard loading == nil else { return true }
        checkSettings()
        startWanted()
        guard state.pointee.store.isJournaling else { return false }
        let isWalking = walk()
        state.pointee.store.commitJournal()
        let flushed = state.pointee.store.flushedJournalBytes
        if !flushed.isEmpty, let saving { _ = saving.writer.append(flushed) }
        let changes = state.pointee.store.journalBytes
        writtenByteCount = changes.count
        if !changes.isEmpty {
            if let writer {
                position = writer.append(changes, others: state.pointee.store.otherJournalRanges)
            }
            if let saving { _ = saving.writer.append(changes) }
        }
        state.pointee.store.clearJournal()
        finishWalks()
        guard let writer else { return isWalking }
        cleaner.handedOn(writer, state.pointee.store.diskRemovals)
        let status = writer.status
        let isHolding = isHoldingReplies()
        if position > status.synced {
            core.pointee.hold(until: position, isOnlyBehind: !isHolding)
        }
        setCongested(status)
        return isWalking
    }

    /// Whether the turn's replies wait for the disk.
    ///
    /// While nothing can be written, writes are refused and reads go on. But a write that the turn let in
    /// waits, even if the writer has failed since: so it counts what commands knew, not what the writer knows.
    private func isHoldingReplies() -> Bool {
        let isRefused = !state.pointee.persistence.error.isEmpty
        defer { isRefusing = isRefused }
        guard settings.appendSync == .always else { return false }
        return !isRefused || (!isRefusing && writtenByteCount > 0)
    }

    /// Has old parts of the append-only file go, unless all of it is being told again anyway; what it has told
    /// again is handed on by the next turn's `keep()`.
    ///
    /// - Returns: whether there is something to hand on, or more to be told.
    func clean() -> Bool {
        guard loading == nil, state.pointee.store.isJournaling else { return false }
        cleaner.count(state.pointee.store)
        guard let writer, rewriting == nil else {
            cleaner.stop(&state.pointee.store)
            return false
        }
        let (isMore, error) = cleaner.step(
            &state.pointee.store, writer, writer.status, writtenByteCount: writtenByteCount,
            position: position)
        setCongested(writer.status)
        guard !error.isEmpty else { return isMore }
        log.write(.warning, "the append-only file is rewritten from memory: \(error)")
        state.pointee.persistence.rewrite.isWanted = true
        return true
    }

    private func statusChanged() {
        guard let writer else { return }
        writer.acknowledge()
        let status = writer.status
        core.pointee.release(upTo: status.synced)
        setCongested(status)
        var persistence = state.pointee.persistence
        if persistence.error != status.error {
            let text =
                status.error.isEmpty
                ? "the append-only file can be written again"
                : "the append-only file cannot be written: \(status.error)"
            log.write(.warning, text)
        }
        persistence.error = status.error
        persistence.byteCount = status.byteCount
        persistence.waitingByteCount = status.waitingByteCount
        persistence.unsyncedByteCount = Int(status.written - status.synced)
        persistence.slowSyncCount = status.slowSyncCount
        state.pointee.persistence = persistence
        if let rewriting, rewriting.isWalked, status.begun == rewriting.token { finishRewriting() }
    }

    // MARK: Settings, end

    /// Switches the append-only file on or off, when CONFIG SET said so.
    private func checkSettings() {
        let (old, new) = (settings, state.pointee.settings)
        guard old.appendOnly != new.appendOnly || old.appendSync != new.appendSync else { return }
        settings = new
        if new.appendSync != old.appendSync { writer?.setSync(new.appendSync.sync) }
        guard new.appendOnly != old.appendOnly else { return }
        if new.appendOnly {
            do throws(LogError) {
                // A start with it would be refused: its flushed records are others now.
                if state.pointee.store.isDiskParted { try directory.setAside() }
                try startAnew()
                state.pointee.store.joinDiskToLog()
            } catch {
                log.write(.warning, "appendonly stays no: \(error)")
                settings.appendOnly = false
                state.pointee.settings.appendOnly = false
            }
        } else {
            closeWriter()
            state.pointee.store.partDiskFromLog()
            if saving == nil { state.pointee.store.stopJournal() }
        }
    }

    /// Whether everything is durable.
    @discardableResult
    private func closeWriter() -> Bool {
        guard let closing = writer.take() else { return true }
        watch = nil
        rewriting = nil
        let isWhole = closing.close()
        if isCongested {
            isCongested = false
            core.pointee.setPaused(false)
        }
        if !isWhole {
            log.write(.warning, "the end of the append-only file could not be written")
        }
        core.pointee.release(upTo: .max)
        state.pointee.persistence.isOn = false
        state.pointee.persistence.error = ""
        state.pointee.persistence.rewrite = Persistence.Work()
        return isWhole
    }

    /// Writes what waits, and ends; whether everything is durable.
    func stop() -> Bool { closeWriter() }
}
