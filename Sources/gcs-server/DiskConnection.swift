internal import Commands
internal import ControlStore
internal import DiskTier
internal import EventLoop
internal import Server
internal import Settings

/// Carries requests from the server to the disk's threads, and answers back.
final class DiskConnection {
    private let tier: DiskTier
    private let core: UnsafeMutablePointer<Server>
    private var watch: Watch?

    /// `nil` when the system has no threads left.
    ///
    /// Nothing is opened or made before the first record is flushed.
    init?(_ loop: Loop, _ core: UnsafeMutablePointer<Server>, _ settings: ServerSettings) {
        let store = RocksStore(path: settings.directory + "/flushed", keepsContents: false)
        guard let tier = DiskTier(store) else { return nil }
        self.tier = tier
        self.core = core
        watch = Watch(loop, tier.descriptor, .readable) { [unowned self] in takeReplies() }
        core.pointee.state.pointee.flush.hasDisk = true
    }

    private func takeReplies() {
        core.pointee.begin(at: Loop.unixMicroseconds)
        for reply in tier.takeReplies() { core.pointee.state.pointee.receive(reply) }
        core.pointee.state.pointee.flush.diskByteCount = tier.byteCount
    }

    /// Hands on what the turn asks of the disk.
    func carry() {
        let requests = core.pointee.state.pointee.store.takeDiskRequests()
        if !requests.isEmpty { tier.post(requests) }
    }

    /// Waits for what is under way, and closes the files.
    func close() {
        carry()
        tier.close()
    }
}
