internal import PlasmaStore

/// What the command line asks for.
struct Options {
    /// Where clients connect.
    var socketPath = ""
    /// Bytes of objects that fit.
    var capacity = 0
    /// Where object files lie; `nil` for anonymous memory.
    var directory: String?
    /// Whether `directory` has huge pages.
    var hasHugePages = false
    /// Where evicted objects go; `nil` to drop them.
    var externalStore: ExternalPlace?
    /// Bytes of objects in a file when memory is full.
    var fallbackByteCountMax = 0
    /// Where that file lies; `nil` for `directory`, or the directory for temporary files.
    var fallbackDirectory: String?
    var limits = StoreLimits()
    /// Whether the processor time of the loop's turns is measured.
    var isMeasuring = false

    /// Reads the arguments after the program's name; `nil` when they ask for help.
    static func parse(_ arguments: some Sequence<String>) throws(StartError) -> Options? {
        var options = Options()
        var rest = Array(arguments)[...]
        while let flag = rest.popFirst() {
            if flag == "--help" { return nil }
            try options.take(flag, &rest)
        }
        guard !options.socketPath.isEmpty else {
            throw StartError("-s SOCKET is needed: the path of the socket to listen on")
        }
        guard options.capacity > 0 else {
            throw StartError("-m BYTES is needed: the memory for objects")
        }
        guard !options.hasHugePages || options.directory != nil else {
            throw StartError("-h needs -d DIR on a mount of type hugetlbfs")
        }
        return options
    }

    private mutating func take(
        _ flag: String, _ rest: inout ArraySlice<String>
    )
        throws(StartError)
    {
        switch flag {
        case "-h": hasHugePages = true
        case "--measure-turns": isMeasuring = true
        case "-s": socketPath = try Self.value(of: flag, &rest)
        case "-d": directory = try Self.value(of: flag, &rest)
        case "-m": capacity = try Self.number(flag, &rest, 1...(1 << 46))
        case "-e": externalStore = try ExternalPlace(Self.value(of: flag, &rest))
        case "--fallback-bytes":
            fallbackByteCountMax = try Self.number(flag, &rest, 0...(1 << 46))
        case "--fallback-dir": fallbackDirectory = try Self.value(of: flag, &rest)
        case "--max-clients": limits.sessionCountMax = try Self.number(flag, &rest, 1...1_000_000)
        case "--max-ids": limits.idCountMax = try Self.number(flag, &rest, 1...(1 << 24))
        case "--max-request-bytes":
            limits.requestByteCountMax = try Self.number(flag, &rest, (4 << 10)...(1 << 30))
        case "--max-notification-bytes":
            limits.notificationByteCountMax = try Self.number(flag, &rest, (4 << 10)...(1 << 40))
        case "--max-buffer-bytes":
            limits.bufferByteCountMax = try Self.number(flag, &rest, (1 << 20)...(1 << 40))
        case "--max-unread-seconds":
            limits.unreadSecondsMax = Int64(try Self.number(flag, &rest, 1...86_400))
        case "--max-guard-seconds":
            limits.guardSecondsMax = Int64(try Self.number(flag, &rest, 1...86_400))
        case "--max-restore-seconds":
            limits.restoreSecondsMax = Int64(try Self.number(flag, &rest, 1...86_400))
        default: throw StartError("unknown argument '\(flag)'; --help lists them")
        }
    }

    private static func value(
        of flag: String, _ rest: inout ArraySlice<String>
    )
        throws(StartError) -> String
    {
        guard let value = rest.popFirst() else { throw StartError("\(flag) needs a value") }
        return value
    }

    /// A number with an optional unit.
    private static func number(
        _ flag: String, _ rest: inout ArraySlice<String>, _ range: ClosedRange<Int>
    )
        throws(StartError) -> Int
    {
        let text = try value(of: flag, &rest)
        let units: [Character: Int] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        var digits = text[...]
        var unit = 1
        if let last = digits.last, let known = units[Character(last.lowercased())] {
            unit = known
            digits = digits.dropLast()
        }
        let product = Int(digits)?.multipliedReportingOverflow(by: unit)
        guard let product, !product.overflow, range.contains(product.partialValue) else {
            throw StartError(
                "\(flag) must be \(range.lowerBound) to \(range.upperBound), a number and an "
                    + "optional k, m or g, found '\(text)'")
        }
        return product.partialValue
    }
}

extension Options {
    /// The store that is asked for; looks at the machine where that matters.
    func configuration() throws(ArenaError) -> StoreConfiguration {
        var configuration = StoreConfiguration(capacity: capacity)
        configuration.directory = directory
        if let directory, hasHugePages {
            let pages = try HugePages.find(at: directory)
            try pages.check(capacity: capacity)
            configuration.hugePageByteCount = pages.pageByteCount
        }
        configuration.externalDirectory = try externalStore?.directory()
        configuration.fallbackByteCountMax = fallbackByteCountMax
        configuration.fallbackDirectory =
            fallbackDirectory ?? (hasHugePages ? nil : directory)
            ?? ExternalPlace.temporaryDirectory
        return configuration
    }
}
