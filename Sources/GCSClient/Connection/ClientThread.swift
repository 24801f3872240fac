internal import ControlClient
internal import EventLoop
internal import Glibc

/// The thread that owns a client's connections; ends when its mailbox is closed.
enum ClientThread {
    /// What the thread starts with.
    struct Plan: Sendable {
        var address: ControlAddress
        var credentials: ControlCredentials?
        var limits: GCSClient.Limits
    }

    /// Starts the thread.
    static func start(_ plan: Plan, _ mailbox: Mailbox) throws(GCSError) {
        let work = Work(plan, mailbox)
        var thread = pthread_t()
        let context = Unmanaged.passRetained(work)
        guard pthread_create(&thread, nil, clientThreadStarted, context.toOpaque()) == 0 else {
            context.release()
            throw .connection("no thread left for a connection")
        }
        pthread_detach(thread)
    }

    fileprivate final class Work: Sendable {
        private let plan: Plan
        private let mailbox: Mailbox

        init(_ plan: Plan, _ mailbox: Mailbox) {
            self.plan = plan
            self.mailbox = mailbox
        }

        func run() {
            // Signals are for the threads of whoever uses the client.
            var all = sigset_t()
            sigfillset(&all)
            pthread_sigmask(SIG_BLOCK, &all, nil)
            let loop = Loop()
            Courier(loop, plan, mailbox).run()
            mailbox.threadEnded()
        }
    }
}

private func clientThreadStarted(_ context: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
    guard let context else { preconditionFailure("a thread without its work") }
    Unmanaged<ClientThread.Work>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
