internal import Foundation

/// Finds the programs that belong together.
enum ProgramSearch {
    /// The path of a program: beside this one, else on $PATH.
    static func path(of name: String) throws(Failure) -> String {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
        let folder = own.map { ($0 as NSString).deletingLastPathComponent }
        let search = ProcessInfo.processInfo.environment["PATH"] ?? ""
        let folders = [folder].compactMap(\.self) + search.split(separator: ":").map(String.init)
        for folder in folders {
            let path = "\(folder)/\(name)"
            if FileManager.default.isExecutableFile(atPath: path) { return path }
        }
        throw Failure("cannot find \(name) beside gcs or on $PATH; build it with 'swift build'")
    }
}
