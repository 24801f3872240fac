import Foundation

let arguments = Array(CommandLine.arguments.dropFirst())
let help = """
    bench [throughput] [memory] [references] [listing] [steps] [durability] [flush] [--quick] [--record]

      throughput  commands per second and server CPU per million commands, beside redis-server
      memory      bytes per record, time of END, gaps seen by a pinger, memory given back
      references  bytes per reference, CLEAR of a process with a million, GCS.BATCH LIST over a million
      listing     gcs memory over a million references, and what a pinger sees meanwhile
      steps       how long a turn of the loop takes while many things go at once, in microseconds
      durability  what the append-only file costs, loading, its size in ten minutes of overwriting
      flush       a window of memory under load, reads of flushed records, END of a batch half on disk
      --only=PART one part of durability: cost, synced, loading or size; may be given again
      --quick     a tenth of the work: to see that it runs, not to quote
      --real-time the loop of the server of `flush` goes before all other programs (needs the right to)
      --record    also write the tables to results/<date>.md

    All by default, but durability, which writes some gigabytes to the disk. Needs redis-server and redis-benchmark, and gcs-server in ../.build/release or in
    the directory that GCS_BIN names.

    """
guard !arguments.contains("--help") else {
    print(help, terminator: "")
    exit(0)
}
let known: Set = [
    "throughput", "memory", "references", "listing", "steps", "durability", "flush", "--quick", "--real-time", "--record",
]
let only = Set(
    arguments.filter { $0.hasPrefix("--only=") }.map { String($0.dropFirst("--only=".count)) })
let unknown =
    arguments.first { !known.contains($0) && !$0.hasPrefix("--only=") }
    ?? only.first { !Durability.parts.contains($0) }
if let unknown {
    FileHandle.standardError.write(Data("bench: no such argument: \(unknown)\n\n\(help)".utf8))
    exit(64)
}
let named = arguments.filter { !$0.hasPrefix("--") }
let isQuick = arguments.contains("--quick")
do {
    ServerProcess.pinSelf(processor: 1)
    var report = Report()
    if named.isEmpty || named.contains("throughput") {
        try Throughput(isQuick: isQuick).run(&report)
    }
    if named.isEmpty || named.contains("memory") { try MemoryUse(isQuick: isQuick).run(&report) }
    if named.isEmpty || named.contains("references") { try ReferenceUse(isQuick: isQuick).run(&report) }
    if named.isEmpty || named.contains("listing") { try MemoryListing(isQuick: isQuick).run(&report) }
    if named.isEmpty || named.contains("steps") { try Steps(isQuick: isQuick).run(&report) }
    if named.contains("durability") {
        let parts = only.isEmpty ? Durability.parts : only
        try Durability(isQuick: isQuick, only: parts).run(&report)
    }
    if named.contains("flush") {
        try FlushUse(isQuick: isQuick, isRealTime: arguments.contains("--real-time")).run(&report)
    }
    if arguments.contains("--record") { try report.record() }
} catch {
    FileHandle.standardError.write(Data("bench: \(error)\n".utf8))
    exit(1)
}
