internal import AppendOnlyFile
internal import Commands
internal import ControlStore
internal import DiskTier
internal import EventLoop
internal import Platform
internal import Server
internal import Settings

/// Carries requests from the server to the disk's threads, and answers back.
final class DiskConnection {
    private let tier: DiskTier
    private let core: UnsafeMutablePointer<Server>
    private var watch: Watch?
    private var queue = DiskQueue()

    /// `nil` when the system has no threads left.
    ///
    /// Nothing is opened or made before the first record is flushed.
    init?(
        _ loop: Loop, _ core: UnsafeMutablePointer<Server>, _ settings: ServerSettings,
        on processors: ProcessorSet?
    ) {
        let isProtected = !settings.appendOnly && LogProbe.directory(settings).hasLog
        let store = RocksStore(
            path: settings.directory + "/flushed", isProtected: isProtected)
        guard let tier = DiskTier(store, on: processors) else { return nil }
        self.tier = tier
        self.core = core
        watch = Watch(loop, tier.descriptor, .readable) { [unowned self] in takeReplies() }
        core.pointee.state.pointee.flush.hasDisk = true
    }

    private func takeReplies() {
        core.pointee.begin(at: SystemClock.unixMicroseconds)
        for reply in tier.takeReplies() { core.pointee.state.pointee.receive(reply) }
        core.pointee.state.pointee.flush.diskByteCount = tier.byteCount
    }

    /// Hands on what the turn asks of the disk, once the log tells durably why.
    ///
    /// - Parameter keeper: the log's, whose turn is over.
    func carry(_ keeper: LogKeeper?) {
        let requests = core.pointee.state.pointee.store.takeDiskRequests()
        guard !requests.isEmpty || queue.isWaiting else { return }
        let log = keeper?.durability
        tier.post(queue.add(requests, behind: log?.position))
        guard queue.isWaiting, let log else { return }
        tier.post(queue.take(upTo: log.synced))
        if queue.isWaiting { keeper?.sync() }
    }

    /// Waits for what is under way, and closes the files; after the log is closed.
    ///
    /// - Parameter isLogWhole: whether the log is durable to its end; what it does not tell stays undone.
    func close(isLogWhole: Bool) {
        if isLogWhole { carry(nil) }
        tier.close()
    }
}
