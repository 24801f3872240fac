internal import Checksums
internal import Glibc
public import Identifiers

/// Reads objects back from a spill file, and refuses every byte that is not what was written.
public struct SpillReader: ~Copyable {
    private static let chunkByteCount = 256 << 10

    private let file: SpillFile

    /// Opens a file.
    public init(path: String) throws(SpillError) { file = try SpillFile(path, O_RDONLY) }

    /// Everything in the file, as its end tells.
    public func objects() throws(SpillError) -> [SpilledObject] {
        let size = file.byteCount
        let trailerCount = SpillFormat.trailerByteCount
        guard size >= trailerCount else { throw damaged("\(size) bytes are too few") }
        let trailer = try bytes(trailerCount, at: size - Int64(trailerCount))
        defer { trailer.deallocate() }
        guard let base = trailer.baseAddress else { return [] }
        let start = Int64(littleEndian: base.loadUnaligned(as: Int64.self))
        let count = Int64(
            UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
        let sum = UInt32(littleEndian: base.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        let magic = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        let indexByteCount = count * Int64(SpillFormat.headerByteCount)
        guard magic == SpillFormat.magic, start >= 0, start <= size,
            indexByteCount == size - Int64(trailerCount) - start
        else { throw damaged("its end is not that of a spill file") }
        return try index(Int(indexByteCount), at: start, checksum: sum)
    }

    private func index(
        _ byteCount: Int, at start: Int64, checksum: UInt32
    ) throws(SpillError) -> [SpilledObject] {
        let index = try bytes(byteCount, at: start)
        defer { index.deallocate() }
        guard CRC32C.of(UnsafeRawBufferPointer(index)) == checksum else {
            throw damaged("its list of objects has a wrong checksum")
        }
        var objects: [SpilledObject] = []
        for position in stride(from: 0, to: byteCount, by: SpillFormat.headerByteCount) {
            let entry = UnsafeRawBufferPointer(rebasing: index[position...])
            guard let object = SpillFormat.load(entry),
                object.offset + object.recordByteCount <= start
            else { throw damaged("entry \(objects.count) of its list is not valid") }
            objects.append(object)
        }
        return objects
    }

    /// The header of the object whose record starts at `offset`.
    ///
    /// - Throws: `SpillError.damaged` when another object is there, or none.
    public func header(of id: RecordID, at offset: Int64) throws(SpillError) -> SpilledObject {
        let header = try bytes(SpillFormat.headerByteCount, at: offset)
        defer { header.deallocate() }
        guard let object = SpillFormat.load(UnsafeRawBufferPointer(header)) else {
            throw damaged("the header at \(offset) has a wrong checksum")
        }
        guard object.id == id, object.offset == offset else {
            throw damaged("expected object \(id) at \(offset), found \(object.id)")
        }
        return object
    }

    /// Fills `target` with an object's data and, behind them, its metadata.
    ///
    /// - Throws: `SpillError.damaged` when the bytes are not those that were written; what is in
    ///   `target` then must not be used.
    public func read(
        _ object: SpilledObject, into target: UnsafeMutableRawBufferPointer
    ) throws(SpillError) {
        precondition(target.count == Int(object.byteCount), "room of another size")
        var sum = CRC32C()
        var done = 0
        while done < target.count {
            let end = min(target.count, done + Self.chunkByteCount)
            let chunk = UnsafeMutableRawBufferPointer(rebasing: target[done..<end])
            try file.read(
                chunk, at: object.offset + Int64(SpillFormat.headerByteCount + done))
            sum.update(UnsafeRawBufferPointer(chunk))
            done = end
        }
        guard sum.value == object.checksum else {
            throw damaged(
                "object \(object.id) at \(object.offset) has checksum \(sum.value), "
                    + "expected \(object.checksum)")
        }
    }

    private func bytes(
        _ count: Int, at offset: Int64
    ) throws(SpillError) -> UnsafeMutableRawBufferPointer {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 8)
        do {
            try file.read(bytes, at: offset)
        } catch {
            bytes.deallocate()
            throw error
        }
        return bytes
    }

    private func damaged(_ reason: String) -> SpillError {
        .damaged(path: file.path, reason: reason)
    }
}
