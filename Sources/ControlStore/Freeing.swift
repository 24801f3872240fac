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

    // What is on disk.

    /// Whether records that are on disk are read; otherwise they are as if there were none.
    var readsFromDisk = false
    /// What is read; nothing goes on before.
    private(set) var read: DiskRead?
    /// What came back; it leaves memory again where it did not change.
    private var brought = BroughtRecords()
    /// What the last read found nowhere.
    private var absent: Set<RecordKey> = []

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
        for _ in 0..<budget {
            if freeing.mustWait(&self) { return false }
            guard freeing.step(&self) else {
                freeing.end(&self)
                return true
            }
        }
        // What others do until the next slice may change that.
        freeing.forgetAbsent()
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

// MARK: - Records on disk

extension Freeing {
    /// Records of one read, about, and of those that came back and are kept at most.
    private static let readCountMax = 64
    private static let broughtCountMax = 256

    /// Whether the next steps look at records that are on disk; they are to be read then, with those of
    /// the steps after them.
    ///
    /// Freeing stays the same whether steps follow each other at once or not: see `free(_:budget:)`.
    fileprivate mutating func mustWait(_ store: inout ControlStore) -> Bool {
        guard readsFromDisk, store.hasDiskParts else { return false }
        // Objects that were named are freed, and announced, together.
        let isFirst = idPosition < ids.count && idPosition % Self.readCountMax == 0
        let now = upcoming(&store, stepCount: isFirst ? Self.readCountMax : 1)
        guard now.contains(where: { isMissing($0, &store) }) else { return false }
        if brought.records.count > Self.broughtCountMax {
            store.letGo(brought.split { !now.contains($0) })
        }
        let keys = upcoming(&store, stepCount: Self.readCountMax).filter { isMissing($0, &store) }
        read = store.diskRead(keys)
        return read != nil
    }

    private func isMissing(_ key: RecordKey, _ store: inout ControlStore) -> Bool {
        store.isMissing(key) && !absent.contains(key)
    }

    /// The records that the next steps look at, as far as can be told: all of the next one, or those that
    /// have to be there to tell the others.
    private func upcoming(_ store: inout ControlStore, stepCount: Int) -> [RecordKey] {
        var keys: [RecordKey] = []
        if idPosition < ids.count {
            for id in ids[idPosition...].prefix(stepCount) {
                keys += [RecordKey(id, .object), RecordKey(id.task, .task)]
            }
        } else if taskPosition < tasks.count {
            var argument = argumentPosition
            for task in tasks[taskPosition...].prefix(stepCount) where keys.count < 2 * stepCount {
                addArguments(of: task, from: argument, count: stepCount, to: &keys, &store)
                argument = 0
            }
        } else {
            for id in doomed.dropFirst(doomedPosition).prefix(stepCount) {
                keys.append(RecordKey(id, .task))
            }
        }
        return keys
    }

    private func addArguments(
        of task: RecordID, from first: Int, count: Int, to keys: inout [RecordKey],
        _ store: inout ControlStore
    ) {
        keys.append(RecordKey(task, .task))
        guard let (_, view) = store.task(task), first < view.argumentCount else { return }
        let objects = (first..<min(first + count, view.argumentCount)).map { view.argument($0) }
        // What is needed is not looked at.
        for object in objects where !store.isNeeded(object) {
            keys += [RecordKey(object, .object), RecordKey(object.task, .task)]
        }
    }

    /// Takes in what was read.
    mutating func take(_ values: [[UInt8]?], _ store: inout ControlStore) {
        guard let read else { return }
        self.read = nil
        // Otherwise it is read again.
        guard let brought = store.take(read, values) else { return }
        self.brought.add(brought)
        absent = Set(zip(read.keys, values).filter { $0.1 == nil }.map(\.0))
    }

    fileprivate mutating func forgetAbsent() { absent = [] }

    /// Lets go of what came back.
    mutating func end(_ store: inout ControlStore) {
        read = nil
        store.letGo(brought)
        brought = BroughtRecords()
    }
}
