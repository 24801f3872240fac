/// A command's work that goes on in slices, after the command's turn.
///
/// The store owns it and ends it, also when nobody waits for its result any more.
public final class Job {
    enum Work {
        case free(Freeing)
        case collect(Collecting)
        /// Taken out while a slice changes it, so that nothing is copied; or done.
        case none
    }

    var work: Work
    /// Whether it is done.
    public internal(set) var isDone = false
    /// What came of it, once it is done.
    public internal(set) var result = 0
    /// Why it ended before its end: the disk could not be read; `nil` when it did not.
    public internal(set) var failure: String?
    /// Whether records come from disk before it goes on.
    public var isWaiting: Bool {
        if case .free(let freeing) = work { return freeing.read != nil }
        return false
    }
    /// Its number in the disk's answers; 0 while it has asked nothing.
    var ticket: UInt64 = 0

    init(_ work: Work) { self.work = work }

    /// Whether it looks for itself at what is on disk; otherwise records stay where they are meanwhile.
    var readsFromDisk: Bool {
        if case .free = work { return true }
        return false
    }
}

extension ControlStore {
    /// Objects freed, or looked at, in a slice.
    private static var freeCountPerSlice: Int { 64 }

    /// Frees objects everywhere: at once when they are few, else in slices.
    ///
    /// - Returns: how many; or the work that will tell.
    public mutating func free(_ freeing: Freeing) -> (count: Int, rest: Job?) {
        var freeing = freeing
        freeing.readsFromDisk = true
        if free(&freeing, budget: 4 * Self.freeCountPerSlice) { return (freeing.count, nil) }
        let job = Job(.free(freeing))
        jobs.append(job)
        askDisk(for: job, freeing.read)
        return (0, job)
    }

    /// Marks numbers of jobs among those of the disk's answers.
    public static var jobTicketBit: UInt64 { 1 << 63 }

    private mutating func askDisk(for job: Job, _ read: DiskRead?) {
        guard let read else { return }
        lastJobTicket += 1
        job.ticket = lastJobTicket | Self.jobTicketBit
        request(read, ticket: job.ticket)
    }

    /// Goes on with the job that asked for records: those that it waited for are here.
    ///
    /// - Parameter failure: why they could not be read: that ends the job.
    public mutating func receive(
        forJob ticket: UInt64, _ values: [[UInt8]?], failure: String?
    ) {
        guard let job = jobs.first(where: { $0.ticket == ticket }),
            case .free(var freeing) = job.work
        else { return }
        job.work = .none
        if let failure {
            freeing.end(&self)
            (job.isDone, job.failure, job.result) = (true, failure, freeing.count)
            jobs.removeAll { $0 === job }
            return
        }
        freeing.take(values, &self)
        job.work = .free(freeing)
        advance(job)
    }

    /// Does a slice of the oldest job that can go on; whether there was one.
    mutating func advanceJobs() -> Bool {
        guard let job = jobs.first(where: { !$0.isWaiting }) else { return false }
        advance(job)
        return true
    }

    private mutating func advance(_ job: Job) {
        let work = job.work
        job.work = .none
        switch consume work {
        case .free(var freeing):
            job.isDone = free(&freeing, budget: Self.freeCountPerSlice)
            job.result = freeing.count
            askDisk(for: job, freeing.read)
            job.work = .free(freeing)
        case .collect(var collecting):
            job.isDone = advance(&collecting)
            job.result = collecting.released
            job.work = .collect(collecting)
        case .none: job.isDone = true
        }
        if job.isDone { jobs.removeAll { $0 === job } }
    }
}
