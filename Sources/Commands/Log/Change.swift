public import ControlStore
internal import Glibc
internal import Identifiers
public import RESP

/// One change of an append-only file: the words behind `GCS.LOAD`.
///
/// Lives only as long as the bytes that the words lie in.
public struct Change {
    private var words: Words

    /// A change whose name is the next word.
    public init(words: Words) { self.words = words }

    /// Reads what kind of change it is.
    public mutating func name() throws(CommandError) -> Word { try word() }

    /// Makes a thing what the change tells; `name` was read before.
    public mutating func apply(
        _ name: Word, to store: inout ControlStore
    ) throws(CommandError) {
        if name.matches("RECORD") {
            try applyRecord(to: &store)
        } else if name.matches("GONE") {
            let kind = try kind()
            store.loadGone(try id(), kind)
        } else if name.matches("BATCH") {
            store.load(try batch())
        } else if name.matches("ENDED") {
            let batch = try batchID()
            store.loadEnded(batch, at: try integer())
        } else if name.matches("DEPEND") {
            let (batch, other) = (try batchID(), try batchID())
            store.loadDependency(batch, on: other, kinds: try number(in: 1...3))
        } else if name.matches("RUN") {
            let (actor, batch) = (try id(), try batchID())
            store.loadRun(actor, batch, sequence: try number())
        } else if name.matches("CHAIN") {
            let actor = try id()
            var runs: [(batch: BatchID, last: UInt64)] = []
            while words.left > 0 { runs.append((try batchID(), try number())) }
            store.loadChain(actor, runs)
        } else if name.matches("ENTRY") {
            let id = try logID()
            store.loadEntry(id, fields: try fields())
        } else if name.matches("REF") {
            try applyReference(to: &store)
        } else {
            return try applyRare(name, to: &store)
        }
        try end()
    }

    private mutating func applyRare(
        _ name: Word, to store: inout ControlStore
    ) throws(CommandError) {
        if name.matches("HEAD") {
            store.load(try head())
        } else if name.matches("NODE") {
            guard store.load(try node()) else { throw Self.malformed("a node") }
        } else if name.matches("NODEGONE") {
            store.loadNodeGone(try nodeName())
        } else if name.matches("UNREF") {
            let (holder, type) = (try holder(), try referenceType())
            store.loadReferenceGone(holder, type, try id())
        } else if name.matches("CLEAR") {
            let node = try nodeName()
            let process: UInt32? = words.left > 0 ? try number() : nil
            store.loadHolderGone(node, process)
        } else if name.matches("DISK") {
            store.loadDisk(identity: UInt64(bitPattern: try integer()))
        } else if name.matches("RESET") {
            store.reset()
        } else if name.matches("SEGMENT") {
            try checkVersion()
            return
        } else if name.matches("MARK") {
            return
        } else {
            throw .text("ERR unknown change '\(name.text.prefix(32))'")
        }
        try end()
    }

    private mutating func applyRecord(to store: inout ControlStore) throws(CommandError) {
        let traits = try recordTraits()
        let id = try id()
        let owner = traits.isStray ? try batchID() : id.batch
        let payload = try word()
        let bytes = UnsafeRawBufferPointer(start: payload.start, count: payload.count)
        guard store.loadRecord(id, traits, owner: owner, bytes) else {
            throw Self.malformed("the record \(id)")
        }
    }

    private mutating func recordTraits() throws(CommandError) -> RecordTraits {
        guard let traits = RecordTraits(rawValue: try number()) else {
            throw Self.malformed("a kind")
        }
        return traits
    }

    /// Whether a reference is a driver's, and which epoch of the log told it.
    private mutating func referenceTraits() throws(CommandError) -> (isDriver: Bool, epoch: UInt8) {
        let traits: UInt8 = try number(in: 0...15)
        return (traits & 1 == 1, traits >> 1)
    }

    private mutating func applyReference(to store: inout ControlStore) throws(CommandError) {
        let holder = try holder()
        let type = try referenceType()
        var new = NewReference(holder: holder, type: type, object: try id())
        let size: Int64 = try number(in: -1...Int64(NewReference.sizeMax))
        new.size = size < 0 ? nil : UInt64(size)
        (new.isDriver, new.epoch) = try referenceTraits()
        let site = try word()
        guard site.count <= NewReference.siteByteCountMax else { throw Self.malformed("a site") }
        if site.count > 0 { new.site = UnsafeBufferPointer(start: site.start, count: site.count) }
        _ = store.addReference(new)
    }
}

// MARK: - Telling again

extension Change {
    /// Has the store tell the things again that an old part of the log tells of, if they are there and no later
    /// part told them again.
    ///
    /// - Parameters:
    ///   - commands: whole commands of one segment.
    ///   - start: the offset of the first that counts.
    ///   - budget: bytes after which it ends.
    /// - Returns: the offset behind those that were looked at.
    public static func renew(
        _ commands: UnsafeRawBufferPointer, from start: Int, budget: Int, of segment: Int,
        in store: inout ControlStore
    ) -> Int {
        guard let base = commands.baseAddress else { return start }
        var parser = RequestParser()
        var limits = RequestParser.Limits()
        limits.wordByteCountMax = 1 << 40
        var offset = start
        while offset < commands.count, offset - start < budget {
            let rest = UnsafeRawBufferPointer(rebasing: commands[offset...])
            guard let taken = try? parser.parse(rest.bytes, limits: limits) else { break }
            var words = parser.words(at: (base + offset).assumingMemoryBound(to: UInt8.self))
            words.position = 1
            var change = Change(words: words)
            // A line that is not understood would not have been loaded: it tells of nothing.
            try? change.renew(of: segment, in: &store)
            parser.reset()
            offset += taken
        }
        return offset
    }

    private mutating func renew(
        of segment: Int, in store: inout ControlStore
    ) throws(CommandError) {
        let name = try name()
        if name.matches("RECORD") {
            let (traits, id) = (try recordTraits(), try id())
            if traits.isStray { _ = try word() }
            let bytes = try word()
            let told = UnsafeRawBufferPointer(start: bytes.start, count: bytes.count)
            store.renew([ToldRecord(id, traits, told)])
        } else if name.matches("BATCH") {
            store.renewBatch(try batchID(), toldIn: segment)
        } else if name.matches("ENDED") {
            let batch = try batchID()
            store.renewEnded(batch, at: try integer())
        } else if name.matches("DEPEND") {
            let batch = try batchID()
            store.renewDependency(batch, on: try batchID())
        } else if name.matches("RUN") || name.matches("CHAIN") {
            store.renewActor(try id(), toldIn: segment)
        } else if name.matches("ENTRY") {
            store.renewEntry(try logID())
        } else if name.matches("NODE") {
            store.renewNode(try nodeName(), toldIn: segment)
        } else if name.matches("HEAD") {
            store.renewHead(toldIn: segment)
        } else if name.matches("DISK") {
            store.renewDisk()
        } else if name.matches("REF") {
            let (holder, type, id) = (try holder(), try referenceType(), try id())
            _ = try word()
            store.renewReference(holder, type, id, epoch: try referenceTraits().epoch)
        }
    }
}

// MARK: - Reading words

extension Change {
    private static func malformed(_ what: String) -> CommandError {
        .text("ERR GCS.LOAD: \(what) is malformed")
    }

    private mutating func word() throws(CommandError) -> Word {
        guard let word = words.next() else { throw .wrongArity }
        return word
    }

    private func end() throws(CommandError) {
        guard words.left == 0 else { throw .syntax }
    }

    private mutating func integer() throws(CommandError) -> Int64 {
        guard let value = try word().integer else { throw .notAnInteger }
        return value
    }

    private mutating func number<Number: FixedWidthInteger>() throws(CommandError) -> Number {
        try number(in: 0...Number.max)
    }

    private mutating func number<Number: FixedWidthInteger>(
        in range: ClosedRange<Number>
    ) throws(CommandError) -> Number {
        guard let value = Number(exactly: try integer()), range.contains(value) else {
            throw .notAnInteger
        }
        return value
    }

    private mutating func id() throws(CommandError) -> RecordID { try Call.id(try word()) }

    private mutating func batchID() throws(CommandError) -> BatchID {
        BatchID(rawValue: try integer())
    }

    private mutating func kind() throws(CommandError) -> RecordKind {
        guard let kind = RecordKind(rawValue: try number()) else { throw Self.malformed("a kind") }
        return kind
    }

    private mutating func logID() throws(CommandError) -> LogID {
        guard let id = LogID(try word().text) else { throw Self.malformed("an entry's id") }
        return id
    }

    private mutating func bytes() throws(CommandError) -> [UInt8] { try word().bytes }

    /// The fields of an entry: a RESP array of bulk strings, which is told as it is.
    private mutating func fields() throws(CommandError) -> [UInt8] {
        let fields = try word()
        var parser = RequestParser()
        let bytes = UnsafeRawBufferPointer(start: fields.start, count: fields.count)
        guard let taken = try? parser.parse(bytes.bytes, limits: RequestParser.Limits()),
            taken == fields.count, parser.count > 0
        else { throw Self.malformed("an entry") }
        return fields.bytes
    }

    private mutating func nodeName() throws(CommandError) -> UnsafeBufferPointer<UInt8> {
        let word = try word()
        let name = UnsafeBufferPointer(start: word.start, count: word.count)
        guard Node.isValid(name) else { throw .notANode }
        return name
    }

    private mutating func holder() throws(CommandError) -> HolderName {
        let node = try nodeName()
        return HolderName(node: node, process: try number())
    }

    private mutating func referenceType() throws(CommandError) -> ReferenceType {
        guard let type = ReferenceType(rawValue: try number()) else {
            throw Self.malformed("a type of reference")
        }
        return type
    }

    private mutating func checkVersion() throws(CommandError) {
        let version: Int = try number()
        guard version == JournalFormat.version else {
            throw .text(
                "ERR GCS.LOAD: format \(version) is not known; this is \(JournalFormat.version)")
        }
    }

    private mutating func head() throws(CommandError) -> LoadedHead {
        try checkVersion()
        var head = LoadedHead()
        head.nodeNumberCount = try number()
        head.actorSequence = try number()
        head.lastID = try logID()
        head.lastTrimmedID = try logID()
        head.addedCount = try number()
        return head
    }

    private mutating func node() throws(CommandError) -> LoadedNode {
        var node = LoadedNode(
            name: try bytes(), position: try number(), number: try number(),
            numberCount: try number())
        node.address = try bytes()
        node.store = try bytes()
        node.registeredAt = try integer()
        node.acknowledged = try logID()
        return node
    }

    private mutating func batch() throws(CommandError) -> LoadedBatch {
        var batch = LoadedBatch(id: try batchID())
        guard batch.id.rawValue > 0 else { throw Self.malformed("a batch") }
        batch.parent = try batchID()
        guard let status = BatchStatus(rawValue: try number()),
            let reason = CollectReason(rawValue: try number())
        else { throw Self.malformed("the batch \(batch.id)") }
        (batch.status, batch.reason) = (status, reason)
        let flags: UInt8 = try number(in: 0...7)
        batch.isNoCleanup = flags & 1 != 0
        batch.goesWithParent = flags & 2 != 0
        batch.namesOwn = flags & 4 != 0
        batch.createdAt = try integer()
        batch.endedAt = try integer()
        batch.deadline = try integer()
        batch.name = try bytes()
        return batch
    }
}
