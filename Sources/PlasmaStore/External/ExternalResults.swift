internal import Identifiers

/// What the external store's thread has done and the loop has not taken note of, the first first.
struct ExternalResults {
    private var results: [ExternalResult] = []
    private var first = 0
    /// Objects of the first result that were noted: a file may hold a thousand.
    private(set) var position = 0

    var isEmpty: Bool { first == results.count }

    /// The first of them.
    var next: ExternalResult? { isEmpty ? nil : results[first] }

    mutating func append(_ more: [ExternalResult]) { results += more }

    /// `count` more objects of the first result are noted.
    mutating func advance(_ count: Int) { position += count }

    /// The first result is noted as a whole.
    mutating func removeFirst() {
        first += 1
        position = 0
        guard isEmpty else { return }
        results = []
        first = 0
    }
}

extension StoreService {
    /// Takes what was written to the external store and read from it; `work()` makes a note of
    /// it, in slices.
    public func takeExternalResults() {
        guard let worker = store.external?.worker else { return }
        results.append(worker.takeResults())
    }

    /// A slice of what has been done; lets those go on who wait for it.
    func noteExternalResults() {
        var left = limits.sliceCountMax
        while left > 0, let result = results.next { left -= note(result, countMax: left) }
        restores.isBlocked = false
        let waiting = roomWaiters
        roomWaiters = []
        for session in waiting where session.isWaiting {
            session.isWaiting = false
            resume(session)
        }
        wakeSatisfied()
    }

    /// Notes up to `countMax` objects of the first result; says how many, at least 1.
    private func note(_ result: ExternalResult, countMax: Int) -> Int {
        switch result {
        case .written(let file, let offsets):
            let range = results.position..<min(offsets.count, results.position + countMax)
            store.written(file, offsets, range)
            return noted(range.count, of: offsets.count)
        case .notWritten(let file, let reason):
            let (count, whole) = store.notWritten(file, results.position, countMax: countMax)
            if results.position == 0 {
                say("objects stay in memory, the external store cannot take them: \(reason)")
            }
            return noted(count, of: whole)
        case .read(let entry): store.restored(entry.id)
        case .notRead(let entry, let reason):
            store.notRestored(entry.id, isLost: false)
            say("object \(entry.id) stays in the external store: \(reason)")
        case .corrupt(let entry, let reason):
            store.notRestored(entry.id, isLost: true)
            say("object \(entry.id) is lost: \(reason)")
        case .swept(let count):
            if count > 0 { say("removed what \(count) stores left in the external store") }
        }
        results.removeFirst()
        return 1
    }

    private func noted(_ count: Int, of whole: Int) -> Int {
        results.advance(count)
        if results.position >= whole { results.removeFirst() }
        return max(1, count)
    }
}
