import ControlStore
import Identifiers

extension Model {
    /// Outputs of a task that have records, puts too: of those that the tests make.
    func outputCount(_ task: RecordID) -> Int {
        [1, 2, 1 << 31 + 1].count {
            objects[RecordID(batch: task.batch, unique: task.unique, index: $0)] != nil
        }
    }

    /// Remembers which tasks had outputs; after records of objects were made.
    mutating func noteOutputs(_ objects: [RecordID]) {
        for object in objects where tasks[object.task]?.arguments.isEmpty == false {
            tasks[object.task]?.hadOutput = true
        }
    }

    func isSpent(_ id: RecordID) -> Bool {
        guard let task = tasks[id], !task.arguments.isEmpty, task.hadOutput else { return false }
        return task.state != .pending && task.state != .running && outputCount(id) == 0
    }

    func isNeeded(_ object: RecordID) -> Bool {
        tasks.contains { $0.value.arguments.contains(object) && !isSpent($0.key) }
    }

    /// Objects that tasks need.
    var needed: Set<RecordID> {
        Set(tasks.filter { !isSpent($0.key) }.flatMap(\.value.arguments))
    }

    mutating func free(_ ids: [RecordID], isRecursive: Bool, takesTasks: Bool) -> Int {
        var freed = 0
        var goers = ids.filter { objects[$0]?.isPinned != true }
        for id in ids where objects[id]?.isPinned == false {
            objects[id] = nil
            freed += 1
        }
        var makers = Set(ids.map(\.task))
        var isChanging = isRecursive
        while isChanging {
            isChanging = false
            for maker in makers where isSpent(maker) {
                for object in tasks[maker]?.arguments ?? [] {
                    guard let value = objects[object], !value.isKept, !value.isPinned,
                        !isNeeded(object)
                    else { continue }
                    objects[object] = nil
                    freed += 1
                    goers.append(object)
                    makers.insert(object.task)
                    isChanging = true
                }
            }
        }
        if takesTasks { for id in goers { tasks[id.task] = nil } }
        return freed
    }
}
