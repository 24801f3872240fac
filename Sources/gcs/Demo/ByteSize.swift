internal import ArgumentParser
internal import Settings

/// A number of bytes as an option, written as in settings: `4096`, `32kb`, `256mb`.
struct ByteSize: ExpressibleByArgument {
    var byteCount: Int

    init?(argument: String) {
        guard let count = ByteCount.parse(argument) else { return nil }
        byteCount = count
    }
}
