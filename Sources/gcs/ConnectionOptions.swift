internal import ArgumentParser
internal import ControlClient
internal import Foundation

/// How to reach the server, and how to print what it says; the same for every subcommand.
struct ConnectionOptions: ParsableArguments {
    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "The server: host:port, or the path of its socket.",
            discussion: "Default: $GCS_ADDRESS, else 127.0.0.1:6379.", valueName: "host:port"),
        transform: Self.readAddress)
    var address: ControlAddress?

    @Option(help: ArgumentHelp("The user to log in as.", valueName: "name"))
    var username: String?

    @Option(
        help: ArgumentHelp(
            "The password to log in with.",
            discussion: "Default: $GCS_PASSWORD, which other users of this machine cannot see.",
            valueName: "password"))
    var password: String?

    @Flag(help: "Print JSON, for scripts.")
    var json = false

    /// Connects and logs in.
    func connect() throws -> BlockingControlConnection {
        let environment = ProcessInfo.processInfo.environment
        let connection = try BlockingControlConnection(to: try resolvedAddress(environment))
        if let password = password ?? environment["GCS_PASSWORD"] {
            _ = try connection.command(["AUTH"] + (username.map { [$0] } ?? []) + [password])
        }
        return connection
    }

    private func resolvedAddress(_ environment: [String: String]) throws -> ControlAddress {
        if let address { return address }
        guard let text = environment["GCS_ADDRESS"] else {
            return .tcp(host: "127.0.0.1", port: 6379)
        }
        do {
            return try Self.readAddress(text)
        } catch {
            throw Failure("GCS_ADDRESS: \(error)")
        }
    }

    private static func readAddress(_ text: String) throws -> ControlAddress {
        guard let address = ControlAddress(text) else {
            throw ValidationError("an address is host:port or a path, found '\(text)'")
        }
        return address
    }

    func validate() throws {
        if username != nil, password == nil,
            ProcessInfo.processInfo.environment["GCS_PASSWORD"] == nil
        {
            throw ValidationError("--username needs --password")
        }
    }
}
