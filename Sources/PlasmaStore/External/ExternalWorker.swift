internal import CSystem
internal import Glibc

/// The thread that reads and writes the external store, and the mailbox to it.
///
/// The loop hands over jobs and takes results when `descriptor` is readable; nothing else is shared.
final class ExternalWorker: @unchecked Sendable {
    /// Readable while results wait to be taken.
    let descriptor: Int32
    private let directory: ExternalDirectory
    // Guarded by `mutex`.
    private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
    private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
    private var jobs: [ExternalJob] = []
    private var results: [ExternalResult] = []
    private var isEnding = false
    private var hasEnded = false

    /// Starts the thread.
    init(_ directory: ExternalDirectory) throws(ArenaError) {
        self.directory = directory
        descriptor = gcs_eventfd()
        pthread_mutex_init(mutex, nil)
        pthread_cond_init(condition, nil)
        guard descriptor >= 0 else { throw .system("make an event descriptor", errno) }
        var thread = pthread_t()
        let context = Unmanaged.passRetained(self)
        let code = pthread_create(&thread, nil, externalThreadStarted, context.toOpaque())
        guard code == 0 else {
            context.release()
            throw .system("start a thread for the external store", code)
        }
        pthread_detach(thread)
    }

    deinit {
        pthread_mutex_destroy(mutex)
        pthread_cond_destroy(condition)
        mutex.deallocate()
        condition.deallocate()
        if descriptor >= 0 { close(descriptor) }
    }

    func add(_ job: ExternalJob) {
        locked {
            jobs.append(job)
            pthread_cond_broadcast(condition)
        }
    }

    /// What has been done since the last call.
    func takeResults() -> [ExternalResult] {
        var count: UInt64 = 0
        _ = Glibc.read(descriptor, &count, 8)
        return locked {
            defer { results = [] }
            return results
        }
    }

    /// Ends the thread after the job that it is at, and waits for that.
    func end() {
        locked {
            isEnding = true
            jobs = []
            pthread_cond_broadcast(condition)
            while !hasEnded { pthread_cond_wait(condition, mutex) }
        }
    }

    fileprivate func run() {
        // Signals are for the loop.
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        let files = ExternalFiles(directory)
        while let work = next() {
            for job in work where !isEnded() {
                if let result = files.perform(job) { publish(result) }
            }
        }
        locked {
            hasEnded = true
            pthread_cond_broadcast(condition)
        }
    }

    private func next() -> [ExternalJob]? {
        locked {
            while jobs.isEmpty, !isEnding { pthread_cond_wait(condition, mutex) }
            defer { jobs = [] }
            return isEnding ? nil : jobs
        }
    }

    private func isEnded() -> Bool { locked { isEnding } }

    private func publish(_ result: ExternalResult) {
        locked { results.append(result) }
        var one: UInt64 = 1
        _ = Glibc.write(descriptor, &one, 8)
    }

    private func locked<Result>(_ body: () -> Result) -> Result {
        pthread_mutex_lock(mutex)
        defer { pthread_mutex_unlock(mutex) }
        return body()
    }
}

private func externalThreadStarted(
    _ context: UnsafeMutableRawPointer?
) -> UnsafeMutableRawPointer? {
    guard let context else { preconditionFailure("a thread without its work") }
    Unmanaged<ExternalWorker>.fromOpaque(context).takeRetainedValue().run()
    return nil
}
