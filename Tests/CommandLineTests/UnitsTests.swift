import Testing

@testable import gcs

@Suite struct UnitsTests {
    @Test(
        "bytes take the unit that leaves one to four digits",
        arguments: [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1536, "1.5 KiB"),
            (102_400, "100 KiB"),
            (1_048_575, "1.0 MiB"), (268_435_456, "256 MiB"), (5 << 30, "5.0 GiB"),
            (-2048, "-2.0 KiB"),
        ])
    func bytes(count: Int64, text: String) { #expect(Units.bytes(count) == text) }

    @Test(
        "counts are grouped by three digits",
        arguments: [
            (0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567"), (-1000, "-1,000"),
        ])
    func counts(value: Int64, text: String) { #expect(Units.count(value) == text) }

    @Test(
        "ages name their two largest units",
        arguments: [
            (-5, "0ms"), (850, "850ms"), (12_400, "12s"), (192_000, "3m12s"), (7_500_000, "2h05m"),
            (356_400_000, "4d03h"),
        ])
    func ages(milliseconds: Int64, text: String) {
        #expect(Units.age(milliseconds: milliseconds) == text)
    }

    @Test(
        "latencies take the unit that suits them",
        arguments: [
            (85_400, "85 us"), (1_240_000, "1.2 ms"), (2_000_000_000, "2.0 s"),
        ] as [(UInt64, String)])
    func latencies(nanoseconds: UInt64, text: String) {
        #expect(Units.latency(nanoseconds: nanoseconds) == text)
    }

    @Test(
        "a share is 0 or 100 % only when it is",
        arguments: [
            (0, 10, "0 %"), (1, 1_000_000, "< 0.1 %"), (4, 1000, "0.4 %"), (999, 1000, "99 %"),
            (10, 10, "100 %"), (1, 0, "0 %"),
        ] as [(Int64, Int64, String)])
    func shares(part: Int64, whole: Int64, text: String) {
        #expect(Units.percent(part, of: whole) == text)
    }
}
