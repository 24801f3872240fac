internal import Identifiers

/// Who holds which object: references by process and by object.
///
/// A reference is in the list of its process and in the chain of its object. The first of a chain is
/// found by the object, the others by process, type and object: one index entry for each reference. With
/// 52 bytes for the reference itself and 6.4 to 12.8 for its index entry, it costs about 60.
struct ReferenceTable: ~Copyable {
    var references = SlotPages<ReferenceRecord>()
    var sites = CallSites()
    /// References of living processes.
    var tallies = ReferenceTallies()
    /// The first of each object's chain, by object.
    private var heads = HashIndex()
    /// All others, by process, type and object.
    private var others = HashIndex()
    /// Indexes that became empty, to be freed in slices.
    private var retired: [HashIndex] = []
    private var retiredPosition: UInt64 = 0

    // MARK: Processes, see ReferenceTable+Holders.swift

    var processes = SlotPages<HolderProcess>()
    var processIndex = HashIndex()
    var nodes = SlotPages<HolderNode>()
    /// Nodes whose references are dead and wait to be freed, first to last.
    var dyingNode = none
    var dyingNodeEnd = none

    /// Indexes that held less at most are not freed when they become empty.
    private static let retiredCountMin: UInt32 = 10_000
    private var headCountMax: UInt32 = 0
    private var otherCountMax: UInt32 = 0

    // MARK: Finding

    private static func hash(_ object: RecordID, _ seeds: HashSeeds) -> UInt64 {
        seeds.hash(RecordKey(object, .object))
    }

    private static func hash(
        _ object: RecordID, _ process: UInt32, _ type: ReferenceType?, _ seeds: HashSeeds
    ) -> UInt64 {
        seeds.hash(hash(object, seeds) ^ (UInt64(process) << 8 | UInt64(type?.rawValue ?? 0)))
    }

    private func head(_ object: RecordID, _ seeds: HashSeeds) -> UnsafeMutablePointer<UInt32>? {
        heads.find(Self.hash(object, seeds)) { references[$0].pointee.isOf(object) }
    }

    /// The reference of a process to an object.
    func find(
        _ object: RecordID, _ type: ReferenceType, of process: UInt32, _ seeds: HashSeeds
    ) -> UInt32? {
        guard let head = head(object, seeds) else { return nil }
        let first = references[head.pointee].pointee
        if first.process == process, first.type == type { return head.pointee }
        let place = others.find(Self.hash(object, process, type, seeds)) {
            let reference = references[$0].pointee
            return reference.process == process && reference.type == type
                && reference.isOf(object)
        }
        return place?.pointee
    }

    /// Objects that have references; those that are cleared count until they are swept.
    var objectCount: Int { Int(heads.count) }

    /// References of living processes to an object.
    ///
    /// - Complexity: O(1); O(references to the object) while references are being cleared.
    func count(of object: RecordID, _ seeds: HashSeeds) -> Int {
        guard let head = head(object, seeds) else { return 0 }
        guard dyingNode != none else { return chainCount(head.pointee) }
        var count = 0
        visit(object, seeds) { count += isAlive($0) ? 1 : 0 }
        return count
    }

    private func chainCount(_ head: UInt32) -> Int {
        Int(references[head].pointee.previousOfObject)
    }

    /// Visits the references to an object, dead ones too.
    func visit(_ object: RecordID, _ seeds: HashSeeds, _ body: (UInt32) -> Void) {
        guard let head = head(object, seeds) else { return }
        var next = head.pointee
        while next != none {
            body(next)
            next = references[next].pointee.nextOfObject
        }
    }

    // MARK: Changing

    /// Adds a reference that its process does not have yet.
    mutating func add(
        _ object: RecordID, _ type: ReferenceType, of process: UInt32, _ memory: inout Memory
    ) -> UInt32 {
        let number = references.insert(
            ReferenceRecord(object, type, process: process), &memory.pool)
        link(number, toProcess: process)
        link(number, toObject: object, &memory)
        return number
    }

    private func link(_ number: UInt32, toProcess process: UInt32) {
        let owner = processes[process]
        let next = owner.pointee.firstReference
        references[number].pointee.nextOfProcess = next
        if next != none { references[next].pointee.previousOfProcess = number }
        owner.pointee.firstReference = number
        owner.pointee.referenceCount += 1
    }

    private mutating func link(
        _ number: UInt32, toObject object: RecordID, _ memory: inout Memory
    ) {
        let seeds = memory.seeds
        let references = references
        let isClaim = references[number].pointee.type?.isClaim == true
        guard let head = head(object, seeds)?.pointee else {
            references[number].pointee.isHead = true
            references[number].pointee.isClaimed = isClaim
            references[number].pointee.previousOfObject = 1
            heads.insert(Self.hash(object, seeds), number, &memory.pool) {
                Self.hash(references[$0].pointee.object, seeds)
            }
            headCountMax = max(headCountMax, heads.count)
            return
        }
        let next = references[head].pointee.nextOfObject
        references[number].pointee.nextOfObject = next
        references[number].pointee.previousOfObject = head
        if next != none { references[next].pointee.previousOfObject = number }
        references[head].pointee.nextOfObject = number
        references[head].pointee.previousOfObject += 1
        if isClaim { references[head].pointee.isClaimed = true }
        others.insert(hash(ofOther: number, seeds), number, &memory.pool) {
            let other = references[$0].pointee
            return Self.hash(other.object, other.process, other.type, seeds)
        }
        otherCountMax = max(otherCountMax, others.count)
    }

    private func hash(ofOther number: UInt32, _ seeds: HashSeeds) -> UInt64 {
        let reference = references[number].pointee
        return Self.hash(reference.object, reference.process, reference.type, seeds)
    }

    /// Removes a reference.
    ///
    /// - Returns: whether it was the last one to its object, and one of them had been a claim.
    mutating func remove(_ number: UInt32, _ memory: inout Memory) -> Bool {
        unlinkFromProcess(number)
        let isLast = unlinkFromObject(number, memory.seeds)
        sites.release(references[number].pointee.site, &memory)
        references[number].pointee.markFree()
        references.remove(number, &memory.pool)
        retireEmptyIndexes()
        return isLast
    }

    private func unlinkFromProcess(_ number: UInt32) {
        let reference = references[number].pointee
        let owner = processes[reference.process]
        owner.pointee.referenceCount -= 1
        if reference.nextOfProcess != none {
            references[reference.nextOfProcess].pointee.previousOfProcess =
                reference.previousOfProcess
        }
        if reference.previousOfProcess != none {
            references[reference.previousOfProcess].pointee.nextOfProcess = reference.nextOfProcess
        } else {
            owner.pointee.firstReference = reference.nextOfProcess
        }
    }

    private mutating func unlinkFromObject(_ number: UInt32, _ seeds: HashSeeds) -> Bool {
        let reference = references[number].pointee
        let next = reference.nextOfObject
        if reference.isHead { return unlinkHead(number, next, seeds) }
        _ = others.remove(hash(ofOther: number, seeds)) { $0 == number }
        references[reference.previousOfObject].pointee.nextOfObject = next
        if next != none {
            references[next].pointee.previousOfObject = reference.previousOfObject
        }
        guard let head = head(reference.object, seeds)?.pointee else {
            preconditionFailure("a chain of references without its first")
        }
        references[head].pointee.previousOfObject -= 1
        return false
    }

    /// Takes the first of a chain out; the next one takes its place.
    private mutating func unlinkHead(_ number: UInt32, _ next: UInt32, _ seeds: HashSeeds) -> Bool {
        let hash = Self.hash(references[number].pointee.object, seeds)
        guard next != none else {
            _ = heads.remove(hash) { $0 == number }
            return references[number].pointee.isClaimed
        }
        guard let place = heads.find(hash, isMatch: { $0 == number }) else {
            preconditionFailure("the first reference of a chain that its index does not find")
        }
        _ = others.remove(self.hash(ofOther: next, seeds)) { $0 == next }
        references[next].pointee.isHead = true
        references[next].pointee.isClaimed = references[number].pointee.isClaimed
        references[next].pointee.previousOfObject = references[number].pointee.previousOfObject - 1
        place.pointee = next
        return false
    }

    // MARK: Freeing

    /// Indexes only grow; one that was large and is empty is replaced, and freed in slices.
    private mutating func retireEmptyIndexes() {
        if heads.count == 0, headCountMax > Self.retiredCountMin {
            retired.append(heads)
            (heads, headCountMax) = (HashIndex(), 0)
        }
        if others.count == 0, otherCountMax > Self.retiredCountMin {
            retired.append(others)
            (others, otherCountMax) = (HashIndex(), 0)
        }
    }

    /// Frees up to `budget` segments of indexes that became empty; whether more wait.
    mutating func freeIndexes(budget: Int, _ pool: inout Pool) -> Bool {
        var left = budget
        while left > 0, !retired.isEmpty {
            guard retired[0].drop(&retiredPosition, budget: &left, &pool) else { return true }
            retired.removeFirst()
            retiredPosition = 0
        }
        return !retired.isEmpty
    }
}
