import Glibc
import Platform
import Synchronization
import Testing

@Suite struct MailboxTests {
    @Test("values that one thread posts reach another in order, and all before the end")
    func order() throws {
        let box = try #require(Mailbox<Int>())
        let answers = try #require(Mailbox<Int>())
        let code = DetachedThread.start {
            while let numbers = box.waitForAll() { numbers.forEach(answers.post) }
            answers.close()
        }
        #expect(code == 0)
        for number in 0..<100_000 { box.post(number) }
        box.close()
        var found: [Int] = []
        while let numbers = answers.waitForAll() { found += numbers }
        #expect(found == Array(0..<100_000))
    }

    @Test("none is lost when several threads post at once")
    func several() throws {
        let box = try #require(Mailbox<Int>())
        let ended = Mutex(0)
        for thread in 0..<4 {
            let code = DetachedThread.start {
                for number in 0..<20_000 { box.post(thread * 20_000 + number) }
                if ended.withLock({
                    $0 += 1; return $0
                }) == 4 {
                    box.close()
                }
            }
            #expect(code == 0)
        }
        var found: [Int] = []
        while let numbers = box.waitForAll() { found += numbers }
        #expect(found.sorted() == Array(0..<80_000))
    }

    @Test("the descriptor is readable while something is in the box")
    func readable() throws {
        let box = try #require(Mailbox<Int>())
        #expect(!isReadable(box.descriptor))
        box.post(1)
        box.post(2)
        #expect(isReadable(box.descriptor))
        #expect(box.takeAll() == [1, 2])
        #expect(!isReadable(box.descriptor))
        #expect(!box.isClosed)
        box.close()
        #expect(box.isClosed)
        #expect(isReadable(box.descriptor))
        #expect(box.waitForAll() == nil)
    }

    @Test("a bell waits for as long as it was told, and remembers a ring")
    func bell() {
        guard let bell = Bell() else {
            Issue.record("no descriptor left")
            return
        }
        let start = SystemClock.monotonicMilliseconds
        let early = bell.wait(milliseconds: 20)
        #expect(!early)
        #expect(SystemClock.monotonicMilliseconds - start >= 19)
        bell.ring()
        bell.ring()
        let first = bell.wait()
        let second = bell.wait(milliseconds: 0)
        #expect(first && !second)
    }

    @Test("a thread takes no signals")
    func signals() throws {
        let masks = try #require(Mailbox<[Bool]>())
        let code = DetachedThread.start {
            var mask = sigset_t()
            pthread_sigmask(SIG_BLOCK, nil, &mask)
            masks.post([SIGTERM, SIGINT, SIGXFSZ].map { sigismember(&mask, $0) == 1 })
        }
        #expect(code == 0)
        #expect(masks.waitForAll() == [[true, true, true]])
    }

    private func isReadable(_ descriptor: Int32) -> Bool {
        var request = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, 0) == 1
    }
}
