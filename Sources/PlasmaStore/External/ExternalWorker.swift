internal import Glibc
internal import Platform

/// The thread that reads and writes the external store, and the mailboxes to it and from it.
final class ExternalWorker: Sendable {
    private let jobs: Mailbox<ExternalJob>
    private let results: Mailbox<ExternalResult>

    /// Starts the thread.
    init(_ directory: ExternalDirectory) throws(ArenaError) {
        guard let jobs = Mailbox<ExternalJob>(), let results = Mailbox<ExternalResult>() else {
            throw .system("make an event descriptor", errno)
        }
        (self.jobs, self.results) = (jobs, results)
        let code = DetachedThread.start {
            Self.work(off: jobs, ExternalFiles(directory), results)
            results.close()
        }
        guard code == 0 else { throw .system("start a thread for the external store", code) }
    }

    /// Readable while results wait to be taken.
    var descriptor: Int32 { results.descriptor }

    func add(_ job: ExternalJob) { jobs.post(job) }

    /// What has been done since the last call.
    func takeResults() -> [ExternalResult] { results.takeAll() }

    /// Ends the thread after the job that it is at, and waits for that; results are not wanted any more.
    func end() {
        jobs.close()
        while results.waitForAll() != nil {}
    }

    private static func work(
        off jobs: Mailbox<ExternalJob>, _ files: ExternalFiles, _ results: Mailbox<ExternalResult>
    ) {
        while let batch = jobs.waitForAll() {
            for job in batch where !jobs.isClosed {
                if let result = files.perform(job) { results.post(result) }
            }
        }
    }
}
