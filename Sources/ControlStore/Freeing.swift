public import Identifiers

/// A GCS.OBJECT FREE under way: what is still to be looked at, and what came of it so far.
public struct Freeing: Sendable {
    /// Whether arguments that nobody needs any more are freed too, and so on upwards.
    public var isRecursive = false
    /// Whether the tasks that made the objects go with them.
    public var takesTasks = false
    /// Objects freed so far.
    public private(set) var count = 0

    private let ids: [RecordID]
    private var idPosition = 0
    /// Spent tasks whose arguments are to be looked at, and those that were, with them.
    private var tasks: [RecordID] = []
    private var taskPosition = 0
    private var argumentPosition = 0
    /// Freed, and not announced yet.
    private var unannounced: [RecordID] = []
    /// Tasks that go in the end: until then they tell what else is not needed.
    private var doomed: [RecordID] = []
    private var doomedPosition = 0

    /// What begins with these objects.
    public init(_ ids: [RecordID]) { self.ids = ids }
}

extension ControlStore {
    /// Frees objects everywhere, in steps.
    ///
    /// Each step finds what is still needed as it is then: an argument that a new task named between two
    /// steps stays.
    ///
    /// - Parameter budget: objects and arguments looked at in this step.
    /// - Returns: whether it is done.
    public mutating func free(_ freeing: inout Freeing, budget: Int) -> Bool {
        // What a step freed is announced with it: no turn ends in between.
        defer { freeing.announce(&self) }
        for _ in 0..<budget where !freeing.step(&self) { return true }
        return false
    }

    /// Removes objects everywhere: their records now, their copies through the log.
    ///
    /// - Returns: how many were removed; those without a record, and those pinned, are not counted.
    public mutating func freeObjects(_ ids: [RecordID]) -> Int {
        var freeing = Freeing(ids)
        while !free(&freeing, budget: 1000) {}
        return freeing.count
    }

    /// Objects of one deletion on `GC:objects`.
    static var objectsPerDeletionMax: Int { 1000 }
}

extension Freeing {
    /// Looks at one object; whether there was one.
    fileprivate mutating func step(_ store: inout ControlStore) -> Bool {
        if idPosition < ids.count {
            free(ids[idPosition], &store)
            // What is pinned is there still, and so is the task that could make it anew.
            if takesTasks, !store.exists(ids[idPosition], .object) {
                doomed.append(ids[idPosition].task)
            }
            if isRecursive { follow(ids[idPosition].task, &store) }
            idPosition += 1
            return true
        }
        if taskPosition < tasks.count {
            freeArgument(&store)
            return true
        }
        guard doomedPosition < doomed.count else { return false }
        _ = store.removeTask(doomed[doomedPosition])
        doomedPosition += 1
        return true
    }

    /// Frees an object; whether it had a record and is not pinned.
    @discardableResult
    private mutating func free(_ object: RecordID, _ store: inout ControlStore) -> Bool {
        let key = RecordKey(object, .object)
        let site = store.locate(key)
        guard let payload = store.payload(site), !ObjectRecord(payload).isPinned else {
            return false
        }
        store.removeObjectRecord(key, at: site)
        count += 1
        unannounced.append(object)
        if unannounced.count == ControlStore.objectsPerDeletionMax { announce(&store) }
        return true
    }

    /// Takes the arguments of a task in, if all its outputs are gone.
    ///
    /// On the way upwards that comes once for each task, with its last output. Ids may name one again: then
    /// its arguments are looked at again, and found gone.
    private mutating func follow(_ task: RecordID, _ store: inout ControlStore) {
        guard tasks.last != task, store.isSpent(task) else { return }
        tasks.append(task)
    }

    /// Frees an argument of a spent task, if no task needs it, and it is neither kept nor pinned.
    private mutating func freeArgument(_ store: inout ControlStore) {
        guard let (_, task) = store.task(tasks[taskPosition]),
            argumentPosition < task.argumentCount
        else {
            taskPosition += 1
            argumentPosition = 0
            return
        }
        let object = task.argument(argumentPosition)
        argumentPosition += 1
        guard let payload = store.payload(store.locate(RecordKey(object, .object))),
            !store.isSpared(ObjectRecord(payload)), !store.isNeeded(object)
        else { return }
        guard free(object, &store) else { return }
        if takesTasks { doomed.append(object.task) }
        follow(object.task, &store)
    }

    fileprivate mutating func announce(_ store: inout ControlStore) {
        guard !unannounced.isEmpty else { return }
        store.announce(.objects(unannounced))
        unannounced = []
    }
}
