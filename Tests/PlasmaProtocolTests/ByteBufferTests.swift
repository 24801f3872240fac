import Testing

@testable import PlasmaProtocol

@Suite struct ByteBufferTests {
    private func append(_ count: Int, _ byte: UInt8, to buffer: inout ByteBuffer) {
        [UInt8](repeating: byte, count: count).withUnsafeBytes { buffer.append($0) }
    }

    @Test("what is known to come has room at once", arguments: [1000, 65_537, 200_000, 262_144])
    func expected(_ count: Int) {
        var buffer = ByteBuffer()
        let start = buffer.reserve(min(count, 1000), expecting: count)
        for _ in 0..<count / 1000 { append(1000, 1, to: &buffer) }
        append(count % 1000, 1, to: &buffer)
        // It was not moved.
        #expect(UnsafeRawPointer(start) == buffer.bytes.baseAddress)
        #expect(buffer.count == count && buffer.touchedByteCount == count)
    }

    @Test("what was filled stays, whatever was expected", arguments: [0, 10, 100_000, 1 << 30])
    func grows(_ expected: Int) {
        var buffer = ByteBuffer()
        var model: [UInt8] = []
        for step in 0..<60 {
            _ = buffer.reserve(1, expecting: expected)
            append(step * 997, UInt8(step), to: &buffer)
            model += [UInt8](repeating: UInt8(step), count: step * 997)
            let gone = model.count / 7
            buffer.consume(gone)
            model.removeFirst(gone)
            #expect(buffer.array == model)
        }
        #expect(buffer.touchedByteCount >= model.count)
    }

    @Test func memoryCountsAsFarAsItWasFilled() {
        var buffer = ByteBuffer()
        _ = buffer.reserve(10 << 20)
        #expect(buffer.touchedByteCount == 0)
        append(5000, 7, to: &buffer)
        buffer.consume(4000)
        append(100, 8, to: &buffer)
        #expect(buffer.touchedByteCount == 5100 && buffer.count == 1100)
        buffer.reset(keeping: 5100)
        #expect(buffer.touchedByteCount == 5100 && buffer.isEmpty)
        buffer.reset(keeping: 5099)
        #expect(buffer.touchedByteCount == 0)
    }
}
