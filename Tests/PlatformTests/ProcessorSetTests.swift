import Platform
import Testing

@Suite struct ProcessorSetTests {
    @Test("a thread runs where it is put, and threads that it starts do not have to")
    func places() async throws {
        let all = try #require(ProcessorSet.current)
        let last = try #require((0..<ProcessorSet.capacity).last { all.contains($0) })
        let one = ProcessorSet([last])
        let found = await withCheckedContinuation { continuation in
            let code = DetachedThread.start(on: one) {
                continuation.resume(returning: (ProcessorSet.current, ProcessorSet.ofThread))
            }
            #expect(code == 0)
        }
        #expect(found.0 == one)
        #expect(found.1 == Int32(last))
        #expect(ProcessorSet.current == all)
    }

    @Test("processors that are not there are refused")
    func missing() async throws {
        let all = try #require(ProcessorSet.current)
        try #require(!all.contains(ProcessorSet.capacity - 1), "so large a machine is not expected")
        let found = await withCheckedContinuation { continuation in
            _ = DetachedThread.start(on: ProcessorSet([ProcessorSet.capacity - 1])) {
                let set = ProcessorSet([ProcessorSet.capacity - 1])
                continuation.resume(returning: (set.apply(), ProcessorSet.current))
            }
        }
        #expect(found.0 != 0)
        #expect(found.1 == all)
    }

    @Test("sets tell what is in them")
    func contents() {
        let set = ProcessorSet([0, 63, 64, 1023])
        #expect((0..<1024).filter { set.contains($0) } == [0, 63, 64, 1023])
        #expect(!set.contains(-1) && !set.contains(1024))
        #expect(set.isDisjoint(with: ProcessorSet([1, 62, 65])))
        #expect(!set.isDisjoint(with: ProcessorSet([1, 64])))
        #expect(ProcessorSet([]).isDisjoint(with: set))
    }
}
