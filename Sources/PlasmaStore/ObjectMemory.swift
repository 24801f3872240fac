/// Where objects lie: the arena, and a file for when the arena is full.
///
/// No segment is ever closed while the store runs, so the number of its descriptor never comes to
/// stand for another file: clients keep their maps under these numbers.
struct ObjectMemory: ~Copyable {
    private(set) var arena: Arena
    /// The file on a disk; made at the first use.
    private var fallback: FallbackFile?
    private let fallbackDirectory: String
    /// Bytes that objects may take in the file.
    let fallbackByteCountMax: Int
    /// Bytes of objects in the file.
    private(set) var fallbackByteCount = 0
    /// Why the file could not be used the last time.
    private(set) var fallbackFailure: ArenaError?

    /// From here on segments are those of the file.
    private static let firstFallbackSegment: Int32 = 48

    init(_ configuration: StoreConfiguration) throws(ArenaError) {
        arena = try Arena(
            capacity: configuration.capacity, directory: configuration.directory,
            hugePageByteCount: configuration.hugePageByteCount)
        fallbackDirectory = configuration.fallbackDirectory
        fallbackByteCountMax = configuration.fallbackByteCountMax
    }

    /// Whether a piece lies in the file.
    static func isFallback(_ piece: Arena.Piece) -> Bool { piece.segment >= firstFallbackSegment }

    mutating func allocate(_ byteCount: Int) -> Arena.Piece? { arena.allocate(byteCount) }

    /// Room in the file, with blocks of its disk behind it: a full disk would otherwise kill the
    /// client that writes; `nil` when there is none.
    mutating func allocateFallback(_ byteCount: Int) -> Arena.Piece? {
        guard byteCount > 0, fallbackByteCount + byteCount <= fallbackByteCountMax else {
            return nil
        }
        do throws(ArenaError) {
            if fallback == nil {
                fallback = FallbackFile(
                    try Arena(
                        capacity: fallbackByteCountMax, directory: fallbackDirectory,
                        segmentCountMax: Arena.segmentCountMax - Int(Self.firstFallbackSegment)))
            }
            guard var piece = fallback?.arena.allocate(byteCount) else { return nil }
            if let failure = fallback?.arena.reserve(piece, byteCount) {
                fallback?.arena.free(piece, now: 0)
                throw failure
            }
            fallbackByteCount += byteCount
            fallbackFailure = nil
            piece.segment += Self.firstFallbackSegment
            return piece
        } catch {
            fallbackFailure = error
            return nil
        }
    }

    mutating func free(_ piece: Arena.Piece, byteCount: Int, now: UInt32) {
        guard Self.isFallback(piece) else { return arena.free(piece, now: now) }
        fallbackByteCount -= byteCount
        fallback?.arena.free(Self.inFile(piece), now: now)
    }

    /// Copies bytes into a piece; `false` when the file system has no room.
    @inline(__always)
    func write(_ bytes: UnsafeRawBufferPointer, _ piece: Arena.Piece, at offset: Int) -> Bool {
        guard Self.isFallback(piece) else { return arena.write(bytes, piece, at: offset) }
        return fallback?.arena.write(bytes, Self.inFile(piece), at: offset) ?? false
    }

    /// The descriptor and the size that clients are told of a segment.
    @inline(__always)
    func file(_ segment: Int32) -> (descriptor: Int32, byteCount: Int64) {
        guard segment >= Self.firstFallbackSegment else { return arena.file(segment) }
        return fallback?.arena.file(segment - Self.firstFallbackSegment) ?? (-1, 0)
    }

    /// The store's own address of a piece; `nil` where it has no map.
    func address(_ piece: Arena.Piece) -> UnsafeMutableRawPointer? {
        Self.isFallback(piece) ? nil : arena.address(piece)
    }

    private static func inFile(_ piece: Arena.Piece) -> Arena.Piece {
        var piece = piece
        piece.segment -= firstFallbackSegment
        return piece
    }
}

// MARK: - Memory that nobody uses

extension ObjectMemory {
    var segmentCount: Int { arena.segmentCount + (fallback?.arena.segmentCount ?? 0) }
    var byteCount: Int { arena.byteCount + (fallback?.arena.byteCount ?? 0) }
    var takenByteCount: Int { arena.takenByteCount + (fallback?.arena.takenByteCount ?? 0) }
    var hasIdleMemory: Bool { arena.hasIdleMemory || fallback?.arena.hasIdleMemory ?? false }
    var isWorthFreeing: Bool { arena.isWorthFreeing }

    /// Gives one run of pages, free since before `limit`, back to the system.
    ///
    /// - Returns: whether there may be more to do now.
    mutating func giveBack(before limit: UInt32) -> Bool {
        arena.giveBack(before: limit) || fallback?.arena.giveBack(before: limit) ?? false
    }

    /// Gives a part of the allocator's own memory back when nothing is allocated; says whether
    /// there was one.
    mutating func freeChunk() -> Bool { arena.freeChunk() }

    /// Whether the allocators' links are sound; O(blocks), for tests.
    func invariantsHold() -> Bool {
        arena.invariantsHold() && fallback?.arena.invariantsHold() ?? true
    }
}

/// The arena of the fallback file, which is made when it is first needed.
private final class FallbackFile {
    var arena: Arena

    init(_ arena: consuming Arena) { self.arena = arena }
}
