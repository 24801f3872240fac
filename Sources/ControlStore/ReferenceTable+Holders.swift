internal import Identifiers

/// A process that holds references.
struct HolderProcess: BitwiseCopyable {
    var node: UInt32
    let process: UInt32
    var firstReference = none
    var referenceCount: UInt32 = 0
    var tallies = ReferenceTallies()
    /// Links of the processes of its node.
    var next = none
    var previous = none
}

/// A node whose processes hold references, or what its store tells of them; or, once it is dead, what
/// was cleared at once.
struct HolderNode: BitwiseCopyable {
    /// Its place in the table of nodes.
    var position: UInt32
    var firstProcess = none
    var tallies = ReferenceTallies()
    /// The next of the dead ones.
    var nextDying = none
    /// Whether its references hold nothing any more, and only wait to be freed.
    var isDead = false
    /// Whether objects that lose their last reference with it stay.
    var isSilent = false
}

/// References that a slice of work removed.
struct SweptReferences {
    /// How many it were, and processes with them.
    var count = 0
    /// Objects that had been claimed and lost their last reference.
    var unreferenced: [RecordID] = []
}

extension ReferenceTable {
    /// Whether a reference counts.
    @inline(__always)
    func isAlive(_ number: UInt32) -> Bool {
        !nodes[processes[references[number].pointee.process].pointee.node].pointee.isDead
    }

    private static func hash(node: UInt32, process: UInt32, _ seeds: HashSeeds) -> UInt64 {
        seeds.hash(UInt64(node) << 32 | UInt64(process))
    }

    func process(_ process: UInt32, ofNode node: UInt32, _ seeds: HashSeeds) -> UInt32? {
        let place = processIndex.find(Self.hash(node: node, process: process, seeds)) {
            processes[$0].pointee.node == node && processes[$0].pointee.process == process
        }
        return place?.pointee
    }

    /// A node that holds nothing yet.
    mutating func makeNode(position: Int, _ memory: inout Memory) -> UInt32 {
        nodes.insert(HolderNode(position: UInt32(position)), &memory.pool)
    }

    /// The process of a living node, known from now on.
    mutating func processOrNew(
        _ process: UInt32, ofNode node: UInt32, _ memory: inout Memory
    ) -> UInt32 {
        let seeds = memory.seeds
        if let known = self.process(process, ofNode: node, seeds) { return known }
        let number = processes.insert(HolderProcess(node: node, process: process), &memory.pool)
        link(number, toNode: node)
        let processes = processes
        processIndex.insert(
            Self.hash(node: node, process: process, seeds), number, &memory.pool
        ) {
            let other = processes[$0].pointee
            return Self.hash(node: other.node, process: other.process, seeds)
        }
        return number
    }

    private func link(_ number: UInt32, toNode node: UInt32) {
        let next = nodes[node].pointee.firstProcess
        processes[number].pointee.node = node
        processes[number].pointee.next = next
        processes[number].pointee.previous = none
        if next != none { processes[next].pointee.previous = number }
        nodes[node].pointee.firstProcess = number
    }

    /// Takes a process out of its node and of the index.
    private mutating func unlink(_ number: UInt32, _ seeds: HashSeeds) {
        let process = processes[number].pointee
        _ = processIndex.remove(Self.hash(node: process.node, process: process.process, seeds)) {
            $0 == number
        }
        if process.next != none { processes[process.next].pointee.previous = process.previous }
        if process.previous != none {
            processes[process.previous].pointee.next = process.next
        } else {
            nodes[process.node].pointee.firstProcess = process.next
        }
    }

    /// Counts a reference of a living process, as its bytes are now.
    mutating func countIn(_ number: UInt32) {
        let reference = references[number].pointee
        guard let type = reference.type else { return }
        let process = processes[reference.process]
        process.pointee.tallies.add(type, reference.size)
        nodes[process.pointee.node].pointee.tallies.add(type, reference.size)
        tallies.add(type, reference.size)
    }

    /// Counts a reference of a living process no longer; before its bytes change, too.
    mutating func countOut(_ number: UInt32) {
        let reference = references[number].pointee
        guard let type = reference.type else { return }
        let process = processes[reference.process]
        process.pointee.tallies.subtract(type, reference.size)
        nodes[process.pointee.node].pointee.tallies.subtract(type, reference.size)
        tallies.subtract(type, reference.size)
    }

    /// Forgets a process that holds nothing, and its node with its last process.
    ///
    /// - Returns: whether the node is forgotten.
    mutating func forgetIfEmpty(process number: UInt32, _ memory: inout Memory) -> Bool {
        let process = processes[number].pointee
        guard process.referenceCount == 0 else { return false }
        unlink(number, memory.seeds)
        processes.remove(number, &memory.pool)
        return forgetIfEmpty(node: process.node, &memory)
    }

    private mutating func forgetIfEmpty(node: UInt32, _ memory: inout Memory) -> Bool {
        guard nodes[node].pointee.firstProcess == none else { return false }
        nodes.remove(node, &memory.pool)
        return true
    }

    // MARK: Clearing

    /// Makes a process' references dead at once; they are freed in slices.
    ///
    /// - Returns: how many, and whether its node holds nothing any more and is forgotten.
    mutating func clear(
        process number: UInt32, _ memory: inout Memory
    ) -> (count: Int, isNodeForgotten: Bool) {
        let process = processes[number].pointee
        unlink(number, memory.seeds)
        let count = Int(process.referenceCount)
        nodes[process.node].pointee.tallies.subtract(process.tallies)
        tallies.subtract(process.tallies)
        let position = nodes[process.node].pointee.position
        let grave = nodes.insert(HolderNode(position: position), &memory.pool)
        link(number, toNode: grave)
        bury(grave)
        return (count, forgetIfEmpty(node: process.node, &memory))
    }

    /// Makes a node's references dead at once; they are freed in slices.
    ///
    /// - Returns: how many.
    mutating func clear(node: UInt32, isSilent: Bool) -> Int {
        let held = nodes[node].pointee.tallies
        tallies.subtract(held)
        nodes[node].pointee.isSilent = isSilent
        bury(node)
        return held.count
    }

    private mutating func bury(_ node: UInt32) {
        nodes[node].pointee.isDead = true
        if dyingNodeEnd != none {
            nodes[dyingNodeEnd].pointee.nextDying = node
        } else {
            dyingNode = node
        }
        dyingNodeEnd = node
    }

    /// Lets objects stay that lose their last reference with those that are dead now.
    func silenceDying() {
        var next = dyingNode
        while next != none {
            nodes[next].pointee.isSilent = true
            next = nodes[next].pointee.nextDying
        }
    }

    /// Removes dead references, `budget` of them at most.
    mutating func sweep(budget: Int, _ memory: inout Memory) -> SweptReferences {
        var swept = SweptReferences()
        while swept.count < budget, dyingNode != none {
            let node = nodes[dyingNode].pointee
            swept.count += 1
            guard node.firstProcess != none else {
                nodes.remove(dyingNode, &memory.pool)
                dyingNode = node.nextDying
                if dyingNode == none { dyingNodeEnd = none }
                continue
            }
            let number = processes[node.firstProcess].pointee.firstReference
            guard number != none else {
                unlink(node.firstProcess, memory.seeds)
                processes.remove(node.firstProcess, &memory.pool)
                continue
            }
            let object = references[number].pointee.object
            if remove(number, &memory), !node.isSilent { swept.unreferenced.append(object) }
        }
        return swept
    }
}
