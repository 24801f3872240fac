internal import EventLoop
internal import Glibc
internal import Settings

/// Small files of text.
enum TextFile {
    /// The whole content; a setting file of more than 1 MiB is refused.
    static func load(_ path: String) throws(SettingError.Reason) -> String {
        let number = open(path, O_RDONLY | O_CLOEXEC)
        guard number >= 0 else { throw .file(String(cString: strerror(errno)).lowercased()) }
        let file = Descriptor(adopting: number)
        let limit = 1 << 20
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var total = 0
        while total < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                read(file.number, $0.baseAddress.map { $0 + total }, $0.count - total)
            }
            guard count >= 0 else { throw .file(String(cString: strerror(errno)).lowercased()) }
            if count == 0 { break }
            total += count
        }
        guard total <= limit else { throw .file("the file is larger than \(limit) bytes") }
        return String(decoding: bytes.prefix(total), as: UTF8.self)
    }
}
