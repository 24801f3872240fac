internal import Foundation

/// Finds the programs that belong together.
enum ProgramSearch {
    /// The path of a program, by its name: beside this one, else on $PATH; or by its path.
    static func path(of name: String) throws(Failure) -> String {
        if name.contains("/") {
            if FileManager.default.isExecutableFile(atPath: name) {
                return URL(filePath: name).path
            }
            throw Failure("cannot find \(name), or it is no program")
        }
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
