internal import AppendOnlyFile
internal import Settings

/// Where the settings put the append-only file, and whether it can be written there.
enum LogProbe {
    static func directory(_ settings: ServerSettings) -> LogDirectory {
        LogDirectory(
            directory: settings.directory, folder: settings.appendFolder,
            name: settings.appendFileName)
    }

    /// Why no append-only file can be written, if so.
    ///
    /// - Parameter isLocked: whether the directory is locked for this process.
    static func run(_ settings: ServerSettings, isLocked: Bool) -> String? {
        do throws(LogError) {
            let lock = isLocked ? nil : try DirectoryLock(settings.directory)
            try withExtendedLifetime(lock) { () throws(LogError) in
                try directory(settings).probe()
            }
            return nil
        } catch {
            return "\(error)"
        }
    }
}
