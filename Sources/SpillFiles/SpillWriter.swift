internal import Checksums
internal import Glibc

/// Writes several objects into one file, which has its name only once it is whole and on the disk.
public struct SpillWriter: ~Copyable {
    /// Summed up and written at a time: what the processor's cache keeps between both.
    private static let chunkByteCount = 256 << 10
    /// What unfinished files end with.
    static let unfinished = ".part"

    private let file: SpillFile
    private let directory: String
    private let name: String
    private var position: Int64 = 0
    private var objects: [SpilledObject] = []
    private var isFinished = false

    /// A new file in a directory, not there under its name before `finish()`.
    public init(directory: String, name: String) throws(SpillError) {
        self.directory = directory
        self.name = name
        file = try SpillFile("\(directory)/\(name)\(Self.unfinished)", O_WRONLY | O_CREAT | O_EXCL)
    }

    deinit { if !isFinished { unlink(file.path) } }

    /// Appends an object.
    public mutating func append(
        _ object: SpilledObject, data: UnsafeRawBufferPointer, metadata: UnsafeRawBufferPointer
    ) throws(SpillError) {
        var object = object
        object.offset = position
        object.dataByteCount = Int64(data.count)
        object.metadataByteCount = Int64(metadata.count)
        // The header comes first and holds the checksum: its place is filled afterwards.
        try write(header: nil)
        var sum = CRC32C()
        for part in [data, metadata] {
            var start = 0
            while start < part.count {
                let end = min(part.count, start + Self.chunkByteCount)
                let chunk = UnsafeRawBufferPointer(rebasing: part[start..<end])
                sum.update(chunk)
                try file.write(chunk)
                start = end
            }
        }
        object.checksum = sum.value
        try write(header: object)
        position += object.recordByteCount
        objects.append(object)
    }

    private func write(header: SpilledObject?) throws(SpillError) {
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: SpillFormat.headerByteCount, alignment: 8)
        defer { bytes.deallocate() }
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        guard let header, let base = bytes.baseAddress else {
            return try file.write(UnsafeRawBufferPointer(bytes))
        }
        SpillFormat.store(header, to: base)
        guard pwrite(file.descriptor, base, bytes.count, Int(header.offset)) == bytes.count else {
            throw SpillFile.error("write", file.path)
        }
    }

    /// Completes the file: written out, named, and the name written out too.
    ///
    /// - Returns: its path, and what is in it.
    public consuming func finish() throws(SpillError) -> (path: String, objects: [SpilledObject]) {
        try writeIndex()
        try file.synchronize()
        let path = "\(directory)/\(name)"
        guard rename(file.path, path) == 0 else { throw SpillFile.error("rename", file.path) }
        isFinished = true
        let objects = objects
        try SpillFile.synchronizeDirectory(directory)
        return (path, objects)
    }

    private func writeIndex() throws(SpillError) {
        let indexByteCount = SpillFormat.headerByteCount * objects.count
        let bytes = UnsafeMutableRawBufferPointer.allocate(
            byteCount: indexByteCount + SpillFormat.trailerByteCount, alignment: 8)
        defer { bytes.deallocate() }
        guard let base = bytes.baseAddress else { return }
        for (index, object) in objects.enumerated() {
            SpillFormat.store(object, to: base + SpillFormat.headerByteCount * index)
        }
        let sum = CRC32C.of(UnsafeRawBufferPointer(rebasing: bytes[..<indexByteCount]))
        let trailer = base + indexByteCount
        trailer.storeBytes(of: position.littleEndian, as: Int64.self)
        trailer.storeBytes(
            of: UInt32(objects.count).littleEndian, toByteOffset: 8, as: UInt32.self)
        trailer.storeBytes(of: sum.littleEndian, toByteOffset: 12, as: UInt32.self)
        trailer.storeBytes(
            of: SpillFormat.magic.littleEndian, toByteOffset: 16, as: UInt64.self)
        try file.write(UnsafeRawBufferPointer(bytes))
    }
}
