/// What the command line asks for.
struct Options: Equatable {
    /// Where clients connect.
    var socketPath = ""
    /// Bytes of objects that fit.
    var capacity = 0
    /// Where object files lie; `nil` for anonymous memory.
    var directory: String?

    static let help = """
        usage: plasma-store -s SOCKET -m BYTES [-d DIR]

        Keeps objects in shared memory for the processes of this machine; a drop-in for Apache
        Arrow's plasma-store-server.

          -s SOCKET  path of the unix socket to listen on
          -m BYTES   memory for objects; k, m or g after the number multiplies by 1024,
                     1024^2 or 1024^3
          -d DIR     keep objects in nameless files in this directory; without it in
                     anonymous memory
          -e NAME    external store for evicted objects: not supported yet
          -h         huge pages: not supported yet
          --help     this text
        """

    /// Reads the arguments after the program's name; `nil` when they ask for help.
    static func parse(_ arguments: some Sequence<String>) throws(StartError) -> Options? {
        var options = Options()
        var rest = Array(arguments)[...]
        while let flag = rest.popFirst() {
            switch flag {
            case "--help": return nil
            case "-h": throw StartError("-h: huge pages are not supported yet")
            case "-e": throw StartError("-e: external stores are not supported yet")
            case "-s": options.socketPath = try value(of: flag, &rest)
            case "-d": options.directory = try value(of: flag, &rest)
            case "-m": options.capacity = try byteCount(value(of: flag, &rest))
            default: throw StartError("unknown argument '\(flag)'; --help lists them")
            }
        }
        guard !options.socketPath.isEmpty else {
            throw StartError("-s SOCKET is needed: the path of the socket to listen on")
        }
        guard options.capacity > 0 else {
            throw StartError("-m BYTES is needed: the memory for objects")
        }
        return options
    }

    private static func value(
        of flag: String, _ rest: inout ArraySlice<String>
    )
        throws(StartError) -> String
    {
        guard let value = rest.popFirst() else { throw StartError("\(flag) needs a value") }
        return value
    }

    /// Bytes from a number and an optional unit.
    private static func byteCount(_ text: String) throws(StartError) -> Int {
        let units: [Character: Int] = ["k": 1 << 10, "m": 1 << 20, "g": 1 << 30]
        var digits = text[...]
        var unit = 1
        if let last = digits.last, let known = units[Character(last.lowercased())] {
            unit = known
            digits = digits.dropLast()
        }
        let product = Int(digits)?.multipliedReportingOverflow(by: unit)
        guard let product, !product.overflow, product.partialValue > 0,
            product.partialValue <= 1 << 46
        else {
            throw StartError(
                "-m must be 1 to \(1 << 46) bytes, a number and an optional k, m or g, "
                    + "found '\(text)'")
        }
        return product.partialValue
    }
}
