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

    init(_ work: Work) { self.work = work }
}

extension ControlStore {
    /// Objects freed, or looked at, in a slice.
    private static var freeCountPerSlice: Int { 64 }

    /// Frees objects everywhere: at once when they are few, else in slices.
    ///
    /// - Returns: how many; or the work that will tell.
    public mutating func free(_ freeing: Freeing) -> (count: Int, rest: Job?) {
        var freeing = freeing
        if free(&freeing, budget: 4 * Self.freeCountPerSlice) { return (freeing.count, nil) }
        let job = Job(.free(freeing))
        jobs.append(job)
        return (0, job)
    }

    /// Does a slice of the oldest job; whether there was one.
    mutating func advanceJobs() -> Bool {
        guard let job = jobs.first else { return false }
        let work = job.work
        job.work = .none
        switch consume work {
        case .free(var freeing):
            job.isDone = free(&freeing, budget: Self.freeCountPerSlice)
            job.result = freeing.count
            job.work = .free(freeing)
        case .collect(var collecting):
            job.isDone = advance(&collecting)
            job.result = collecting.released
            job.work = .collect(collecting)
        case .none: job.isDone = true
        }
        if job.isDone { jobs.removeFirst() }
        return true
    }
}
