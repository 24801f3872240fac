internal import CSystem
internal import Checksums
internal import Glibc
internal import Identifiers

/// Reads and writes the files of evicted objects; used by one thread.
///
/// A file holds many small objects or one large one, each behind a header of 64 bytes. It is written
/// under a temporary name, forced to the disk and renamed: only then is the memory freed.
final class ExternalFiles {
    private let directory: ExternalDirectory
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)

    init(_ directory: ExternalDirectory) { self.directory = directory }

    deinit { buffer.deallocate() }

    func perform(_ job: ExternalJob) -> ExternalResult? {
        switch job {
        case .write(let file, let entries):
            do throws(ArenaError) {
                return .written(file: file, offsets: try write(entries, to: file))
            } catch {
                unlink(directory.path(of: file, isComplete: false))
                return .notWritten(file: file, reason: error.description)
            }
        case .read(let file, let offset, let entry):
            return read(entry, from: file, at: offset)
        case .punch(let file, let offset, let byteCount): punch(file, offset, byteCount)
        case .unlink(let file): unlink(directory.path(of: file, isComplete: true))
        case .sweep: return .swept(count: directory.sweep())
        }
        return nil
    }
}

// MARK: - Writing

extension ExternalFiles {
    private func write(_ entries: [ExternalEntry], to file: UInt32) throws(ArenaError) -> [Int] {
        let name = directory.path(of: file, isComplete: false)
        let descriptor = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw .system("create \(name)", errno) }
        defer { close(descriptor) }
        var offsets: [Int] = []
        var position = 0
        for entry in entries {
            offsets.append(position)
            try write(entry, descriptor, at: position)
            position += EntryHeader.byteCount + (entry.source.byteCount + 63) & ~63
        }
        guard fdatasync(descriptor) == 0 else { throw .system("write \(name)", errno) }
        guard rename(name, directory.path(of: file, isComplete: true)) == 0 else {
            throw .system("rename \(name)", errno)
        }
        return offsets
    }

    private func write(
        _ entry: ExternalEntry, _ file: Int32, at position: Int
    )
        throws(ArenaError)
    {
        var sum = CRC32C()
        var done = 0
        while done < entry.source.byteCount {
            let part = try self.part(of: entry.source, from: done)
            sum.update(part)
            try put(part, file, at: position + EntryHeader.byteCount + done)
            done += part.count
        }
        var header = EntryHeader(entry)
        header.checksum = UInt64(sum.value)
        var failure: ArenaError?
        withUnsafeBytes(of: &header) { bytes in
            do throws(ArenaError) { try put(bytes, file, at: position) } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// The next bytes of an object: in the store's map, or read into the buffer.
    private func part(
        of source: ObjectSource, from start: Int
    )
        throws(ArenaError) -> UnsafeRawBufferPointer
    {
        let count = min(buffer.count, source.byteCount - start)
        if let base = UnsafeRawPointer(bitPattern: source.address) {
            return UnsafeRawBufferPointer(start: base + start, count: count)
        }
        var done = 0
        while done < count {
            let found = pread(
                source.descriptor, buffer.baseAddress.map { $0 + done }, count - done,
                source.offset + start + done)
            if found < 0, errno == EINTR { continue }
            guard found > 0 else {
                throw .system("read an object's memory", found < 0 ? errno : EIO)
            }
            done += found
        }
        return UnsafeRawBufferPointer(rebasing: buffer[..<count])
    }

    private func put(
        _ bytes: UnsafeRawBufferPointer, _ file: Int32, at position: Int
    )
        throws(ArenaError)
    {
        var done = 0
        while done < bytes.count {
            let written = pwrite(
                file, bytes.baseAddress.map { $0 + done }, bytes.count - done, position + done)
            if written < 0, errno == EINTR { continue }
            guard written > 0 else {
                throw .system("write \(bytes.count) bytes", written < 0 ? errno : ENOSPC)
            }
            done += written
        }
    }
}

// MARK: - Reading

extension ExternalFiles {
    private func read(
        _ entry: ExternalEntry, from file: UInt32, at offset: Int
    ) -> ExternalResult {
        let name = directory.path(of: file, isComplete: true)
        let descriptor = open(name, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            let reason = ArenaError.system("open \(name)", errno).description
            // Somebody removed it: trying again would not bring it back.
            return errno == ENOENT
                ? .corrupt(entry, reason: reason)
                : .notRead(entry, reason: reason)
        }
        defer { close(descriptor) }
        do throws(ArenaError) {
            var header = EntryHeader(entry)
            let expected = header
            try get(descriptor, into: &header, at: offset)
            var sum = CRC32C()
            var done = 0
            while done < entry.source.byteCount {
                let part = try restore(
                    entry.source, from: done, descriptor,
                    at: offset + EntryHeader.byteCount + done)
                sum.update(part)
                done += part.count
            }
            guard header.describes(expected), header.checksum == UInt64(sum.value) else {
                return .corrupt(
                    entry, reason: "\(name) is not what was written at \(offset)")
            }
            return .read(entry)
        } catch {
            return .notRead(entry, reason: "\(name): \(error.description)")
        }
    }

    /// Brings the next bytes of an object back; returns them as they are in memory.
    private func restore(
        _ source: ObjectSource, from start: Int, _ file: Int32, at position: Int
    ) throws(ArenaError) -> UnsafeRawBufferPointer {
        let count = min(buffer.count, source.byteCount - start)
        if let base = UnsafeMutableRawPointer(bitPattern: source.address) {
            let target = UnsafeMutableRawBufferPointer(start: base + start, count: count)
            try get(file, target, at: position)
            return UnsafeRawBufferPointer(target)
        }
        let part = UnsafeMutableRawBufferPointer(rebasing: buffer[..<count])
        try get(file, part, at: position)
        try put(UnsafeRawBufferPointer(part), source.descriptor, at: source.offset + start)
        return UnsafeRawBufferPointer(part)
    }

    private func get(
        _ file: Int32, into header: inout EntryHeader, at position: Int
    )
        throws(ArenaError)
    {
        var failure: ArenaError?
        withUnsafeMutableBytes(of: &header) { bytes in
            do throws(ArenaError) {
                try get(file, bytes, at: position)
            } catch { failure = error }
        }
        if let failure { throw failure }
    }

    /// Reads all of `bytes`; what lies behind the end of the file reads as zeros, which no checksum
    /// agrees with.
    private func get(
        _ file: Int32, _ bytes: UnsafeMutableRawBufferPointer, at position: Int
    ) throws(ArenaError) {
        var done = 0
        while done < bytes.count {
            let found = pread(
                file, bytes.baseAddress.map { $0 + done }, bytes.count - done, position + done)
            if found < 0, errno == EINTR { continue }
            guard found >= 0 else { throw .system("read", errno) }
            guard found > 0 else {
                bytes[done...].initializeMemory(as: UInt8.self, repeating: 0)
                return
            }
            done += found
        }
    }

    private func punch(_ file: UInt32, _ offset: Int, _ byteCount: Int) {
        let name = directory.path(of: file, isComplete: true)
        let descriptor = open(name, O_WRONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        _ = gcs_punch_hole(
            descriptor, Int64(offset), Int64(EntryHeader.byteCount + byteCount))
        close(descriptor)
    }
}

/// What stands before an object in a file; 64 bytes.
private struct EntryHeader: BitwiseCopyable {
    private var magic: UInt64
    private var batch: Int64
    private var unique: UInt64
    private var index: UInt64
    private var dataByteCount: Int
    private var metadataByteCount: Int
    private var reserved: UInt64 = 0
    var checksum: UInt64 = 0

    static let byteCount = 64

    init(_ entry: ExternalEntry) {
        magic = 0x3130_4A42_4F53_4C50  // "PLSOBJ01"
        batch = entry.id.batch.rawValue
        unique = entry.id.unique
        index = UInt64(entry.id.index)
        dataByteCount = entry.dataByteCount
        metadataByteCount = entry.metadataByteCount
    }

    func describes(_ other: EntryHeader) -> Bool {
        magic == other.magic && batch == other.batch && unique == other.unique
            && index == other.index && dataByteCount == other.dataByteCount
            && metadataByteCount == other.metadataByteCount
    }
}
