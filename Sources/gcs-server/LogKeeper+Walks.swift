internal import AppendOnlyFile
internal import Commands
internal import ControlStore
internal import EventLoop
internal import Platform
internal import Settings

/// Walks over everything there is: the log that begins anew, and snapshots.
extension LogKeeper {
    /// Things that a turn notes of a walk.
    private static let walkCount = 200
    /// Bytes that wait for the disk above which a walk pauses.
    private static let walkBacklogMax = 16 << 20

    func startWanted() {
        if state.pointee.persistence.rewrite.isWanted, rewriting == nil, let writer {
            lastToken += 1
            writer.rotate(lastToken)
            rewriting = Rewriting(
                writer: writer, token: lastToken, startedAt: SystemClock.unixMilliseconds)
            state.pointee.persistence.rewrite.isWanted = false
            state.pointee.persistence.rewrite.startedAt = SystemClock.unixMilliseconds / 1000
        }
        if state.pointee.persistence.save.isWanted, saving == nil { startSaving() }
    }

    func walk() -> Bool {
        let isRewriting = advance(&rewriting)
        let isSaving = advance(&saving)
        return isRewriting || isSaving
    }

    func advance(_ work: inout Rewriting?) -> Bool {
        guard var walking = work, !walking.walk.isDone else { return false }
        guard walking.writer.status.waitingByteCount < Self.walkBacklogMax else { return false }
        state.pointee.store.advance(&walking.walk, budget: Self.walkCount)
        work = walking
        return !state.pointee.store.isTellingWaiting
    }

    /// Ends walks whose last changes are handed on.
    func finishWalks() {
        if let walked = rewriting, walked.walk.isDone, !walked.isWalked {
            // What is being removed from the disk is told by the parts that go.
            let removals = state.pointee.store.diskRemovals
            let awaited = walked.removalsAwaited ?? removals.requested
            rewriting?.removalsAwaited = awaited
            if removals.done >= awaited {
                rewriting?.isWalked = true
                walked.writer.begin(at: walked.token)
            }
        }
        if let saved = saving, saved.walk.isDone {
            if saved.isWalked {
                if saved.writer.status.begun != nil || !saved.writer.status.error.isEmpty {
                    finishSaving(saved)
                }
            } else {
                saving?.isWalked = true
                saved.writer.begin(at: saved.token)
            }
        }
    }

    func finishRewriting() {
        guard let done = rewriting.take() else { return }
        let milliseconds = SystemClock.unixMilliseconds - done.startedAt
        let byteCount = done.writer.status.byteCount
        log.write(
            .notice, "append-only file rewritten: \(byteCount) bytes in \(milliseconds) ms")
        state.pointee.persistence.rewrite.startedAt = nil
        state.pointee.persistence.rewrite.lastSeconds = milliseconds / 1000
        state.pointee.persistence.baseByteCount = byteCount
    }

    func startSaving() {
        state.pointee.persistence.save.isWanted = false
        do throws(LogError) {
            if lock == nil { lock = try DirectoryLock(settings.directory) }
            let writer = try LogWriter(
                snapshotDirectory, segments: [], isWhole: false, firstMark: 1, sync: .never,
                version: JournalFormat.version, on: diskProcessors)
            saving = Rewriting(
                walk: JournalWalk(isWithFlushed: true), writer: writer, token: 0,
                startedAt: SystemClock.unixMilliseconds)
            // The turn after it looks how far the snapshot is.
            savingWatch = Watch(loop, writer.changed, .readable) { writer.acknowledge() }
            state.pointee.persistence.save.startedAt = SystemClock.unixMilliseconds / 1000
            state.pointee.store.startJournal()
        } catch {
            log.write(.warning, "the snapshot cannot be written: \(error)")
            state.pointee.persistence.save.isLastOK = false
        }
    }

    func finishSaving(_ saved: Rewriting) {
        let error = state.pointee.store.tellingFailure ?? saved.writer.status.error
        state.pointee.store.endTelling()
        (saving, savingWatch) = (nil, nil)
        let isDone = saved.writer.close() && error.isEmpty
        if writer == nil { state.pointee.store.stopJournal() }
        let milliseconds = SystemClock.unixMilliseconds - saved.startedAt
        state.pointee.persistence.save.startedAt = nil
        state.pointee.persistence.save.isLastOK = isDone
        state.pointee.persistence.save.lastSeconds = milliseconds / 1000
        if isDone {
            state.pointee.persistence.save.lastDoneAt = SystemClock.unixMilliseconds / 1000
            log.write(.notice, "snapshot written in \(milliseconds) ms")
        } else {
            log.write(.warning, "the snapshot could not be written: \(error)")
        }
    }
}
