internal import RESP

/// The commands by name: an open hash over the first and last bytes of a name, in either case.
///
/// Made once; commands and subcommands lie side by side in memory that never moves.
struct CommandTable: ~Copyable {
    private struct Slot {
        var first: UInt64 = 0
        var last: UInt64 = 0
        var count = 0
        /// The container's position, or -1 for a command of its own.
        var parent = -1
        var position = -1
    }

    private static let slotCount = 1024
    private let slots: UnsafeMutablePointer<Slot>
    /// Commands, each container followed by its subcommands.
    let commands: UnsafeMutablePointer<Command>
    let count: Int
    /// Full names in small letters: `get`, `gcs.batch|start`.
    let fullNames: [String]
    /// Which words of each name records.
    let recordWords: [RecordWords]
    /// Least and most words of each command; most is `Int.max` when open.
    private let arities: UnsafeMutablePointer<(least: Int, most: Int)>
    private let containers: UnsafeMutablePointer<Bool>
    /// The position of each one's first argument in a request: 2 for subcommands.
    private let argumentPositions: UnsafeMutablePointer<Int>
    /// Positions of the commands that are no subcommands.
    let topLevel: [Int]

    init(_ list: [Command]) {
        let flat = list.flatMap { [$0] + $0.subcommands }
        count = flat.count
        commands = .allocate(capacity: count)
        commands.initialize(from: flat, count: count)
        slots = .allocate(capacity: Self.slotCount)
        slots.initialize(repeating: Slot(), count: Self.slotCount)
        arities = .allocate(capacity: count)
        argumentPositions = .allocate(capacity: count)
        containers = .allocate(capacity: count)
        var names: [String] = []
        var tops: [Int] = []
        for command in list {
            let parent = names.count
            tops.append(parent)
            names.append(command.name.lowercased())
            for subcommand in command.subcommands {
                names.append("\(command.name.lowercased())|\(subcommand.name.lowercased())")
            }
            Self.add(command.name, parent: -1, position: parent, slots)
            for (offset, subcommand) in command.subcommands.enumerated() {
                Self.add(subcommand.name, parent: parent, position: parent + 1 + offset, slots)
            }
        }
        fullNames = names
        recordWords = names.map { RecordWords($0) }
        topLevel = tops
        for position in 0..<count {
            let arity = flat[position].arity
            let extra = names[position].contains("|") ? 1 : 0
            let least = abs(arity) + extra
            (containers + position).initialize(to: !flat[position].subcommands.isEmpty)
            (argumentPositions + position).initialize(to: 1 + extra)
            (arities + position).initialize(to: (least, arity > 0 ? least : .max))
        }
    }

    deinit {
        commands.deinitialize(count: count)
        commands.deallocate()
        slots.deallocate()
        arities.deallocate()
        argumentPositions.deallocate()
        containers.deallocate()
    }

    private static func add(
        _ name: String, parent: Int, position: Int, _ slots: UnsafeMutablePointer<Slot>
    ) {
        Array(name.utf8).withUnsafeBufferPointer { bytes in
            guard let start = bytes.baseAddress else { return }
            let word = Word(start: start, count: bytes.count)
            let (first, last) = ends(word)
            var index = home(first, last, word.count, parent)
            while slots[index].position >= 0 { index = (index + 1) & (slotCount - 1) }
            slots[index] = Slot(
                first: first, last: last, count: word.count, parent: parent, position: position)
        }
    }

    /// The first and the last eight bytes of a name with letters made small.
    @inline(__always)
    private static func ends(_ word: Word) -> (UInt64, UInt64) {
        let small: UInt64 = 0x2020_2020_2020_2020
        let raw = UnsafeRawPointer(word.start)
        if word.count >= 8 {
            return (
                raw.loadUnaligned(as: UInt64.self) | small,
                raw.loadUnaligned(fromByteOffset: word.count &- 8, as: UInt64.self) | small
            )
        }
        var first: UInt64 = 0
        for position in 0..<word.count { first = first << 8 | UInt64(word.start[position] | 0x20) }
        return (first, 0)
    }

    @inline(__always)
    private static func home(_ first: UInt64, _ last: UInt64, _ count: Int, _ parent: Int) -> Int {
        let mixed =
            (first ^ last &* 0x9e37_79b9_7f4a_7c15)
            &+ UInt64(truncatingIfNeeded: count &+ parent << 8)
        return Int(truncatingIfNeeded: (mixed &* 0xd6e8_feb8_6659_fd93) >> 54)
    }

    /// The position of the command of this name, or -1.
    @inline(__always)
    func find(_ word: Word, parent: Int = -1) -> Int {
        guard word.count <= 40 else { return -1 }
        let (first, last) = Self.ends(word)
        var index = Self.home(first, last, word.count, parent)
        while slots[index].position >= 0 {
            let slot = slots + index
            if slot.pointee.first == first, slot.pointee.last == last,
                slot.pointee.count == word.count,
                slot.pointee.parent == parent
            {
                // Names of more than 16 letters may differ in the middle.
                if word.count <= 16 || isName(word, slot.pointee.position) {
                    return slot.pointee.position
                }
            }
            index = (index &+ 1) & (Self.slotCount &- 1)
        }
        return -1
    }

    private func isName(_ word: Word, _ position: Int) -> Bool {
        commands[position].name.lowercased() == word.text.lowercased()
    }

    /// Whether a command's second word chooses a subcommand.
    @inline(__always)
    func isContainer(_ position: Int) -> Bool { containers[position] }

    /// The position of a command's first argument in a request.
    @inline(__always)
    func argumentPosition(_ position: Int) -> Int { argumentPositions[position] }

    /// Whether a request of this many words fits the command.
    @inline(__always)
    func accepts(_ position: Int, wordCount: Int) -> Bool {
        let arity = arities[position]
        return wordCount >= arity.least && wordCount <= arity.most
    }
}
