internal import ControlClient
internal import EventLoop
internal import Platform

/// The thread that owns a client's connections; ends when its mailbox is closed.
enum ClientThread {
    /// What the thread starts with.
    struct Plan: Sendable {
        var address: ControlAddress
        var credentials: ControlCredentials?
        var limits: GCSClient.Limits
    }

    /// Starts the thread.
    static func start(_ plan: Plan, _ mailbox: ClientMailbox) throws(GCSError) {
        let code = DetachedThread.start {
            Courier(Loop(), plan, mailbox).run()
            mailbox.threadEnded()
        }
        guard code == 0 else { throw .connection("no thread left for a connection") }
    }
}
