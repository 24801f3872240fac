internal import AppendOnlyFile
internal import Commands
internal import ControlStore
internal import EventLoop
internal import Settings

/// Snapshots.
extension LogKeeper {
    func startSaving() {
        state.pointee.persistence.save.isWanted = false
        do throws(LogError) {
            if lock == nil { lock = try DirectoryLock(settings.directory) }
            let writer = try LogWriter(
                snapshotDirectory, segments: [], isWhole: false, firstMark: 1, sync: .never,
                version: JournalFormat.version)
            saving = Rewriting(
                walk: JournalWalk(isWithFlushed: true), writer: writer, token: 0,
                startedAt: Loop.unixMilliseconds)
            // The turn after it looks how far the snapshot is.
            savingWatch = Watch(loop, writer.changed, .readable) { writer.acknowledge() }
            state.pointee.persistence.save.startedAt = Loop.unixMilliseconds / 1000
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
        let milliseconds = Loop.unixMilliseconds - saved.startedAt
        state.pointee.persistence.save.startedAt = nil
        state.pointee.persistence.save.isLastOK = isDone
        state.pointee.persistence.save.lastSeconds = milliseconds / 1000
        if isDone {
            state.pointee.persistence.save.lastDoneAt = Loop.unixMilliseconds / 1000
            log.write(.notice, "snapshot written in \(milliseconds) ms")
        } else {
            log.write(.warning, "the snapshot could not be written: \(error)")
        }
    }
}
