internal import Glibc

/// A program that runs beside us and must not outlive us.
final class ChildProcess {
    /// What to call it.
    let name: String
    /// Where it writes what it has to say.
    let logPath: String
    private let pid: pid_t
    private var exitStatus: Int32?

    /// Starts a program in a process group of its own, so that Ctrl-C reaches it through us only.
    init(_ name: String, path: String, arguments: [String], directory: String) throws(Failure) {
        self.name = name
        logPath = "\(directory)/\(name).log"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(
            &actions, STDOUT_FILENO, logPath, O_WRONLY | O_CREAT | O_APPEND, 0o600)
        posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        posix_spawnattr_setpgroup(&attributes, 0)

        var words = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var pid: pid_t = 0
        let status = posix_spawn(&pid, path, &actions, &attributes, &words, environ)
        guard status == 0 else {
            throw Failure("cannot start \(path): \(String(cString: strerror(status)))")
        }
        self.pid = pid
    }

    deinit { stop() }

    /// Throws when the program ended by itself.
    func checkRunning() throws(Failure) {
        guard exitStatus == nil, waitpid(pid, &status, WNOHANG) == pid else {
            if exitStatus != nil { throw ended() }
            return
        }
        exitStatus = status
        throw ended()
    }

    private var status: Int32 = 0

    private func ended() -> Failure {
        let last = lastLogLine.map { ": \($0)" } ?? ""
        return Failure("\(name) ended by itself\(last)")
    }

    /// Asks it to end, waits for up to 5 s, then kills it.
    func stop() {
        guard exitStatus == nil else { return }
        kill(pid, SIGTERM)
        for _ in 0..<500 {
            if waitpid(pid, &status, WNOHANG) == pid {
                exitStatus = status
                return
            }
            usleep(10_000)
        }
        kill(pid, SIGKILL)
        waitpid(pid, &status, 0)
        exitStatus = status
    }

    /// The last thing it had to say.
    private var lastLogLine: String? {
        guard let file = fopen(logPath, "r") else { return nil }
        defer { fclose(file) }
        var last: String?
        var line: UnsafeMutablePointer<CChar>?
        var capacity = 0
        defer { free(line) }
        while getline(&line, &capacity, file) > 0 {
            guard let line else { break }
            let text = String(cString: line).split(separator: "\n").first.map(String.init)
            if let text { last = text }
        }
        return last
    }
}
