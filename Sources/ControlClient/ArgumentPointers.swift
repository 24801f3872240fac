/// Lends the words of one command as C arrays; the pointers are dead after `body`.
func withArgumentPointers<Result>(
    _ words: [[UInt8]],
    _ body: (UnsafeMutablePointer<UnsafePointer<CChar>?>?, UnsafePointer<Int>) -> Result
) -> Result {
    let lengths = words.map(\.count)
    // One byte more, so that an empty word has an address too.
    let joined = words.flatMap(\.self) + [0]
    return joined.withUnsafeBytes { bytes in
        let base = bytes.baseAddress?.assumingMemoryBound(to: CChar.self)
        var offset = 0
        var arguments = lengths.map { length in
            defer { offset += length }
            return base.map { $0 + offset }
        }
        return arguments.withUnsafeMutableBufferPointer { body($0.baseAddress, lengths) }
    }
}
