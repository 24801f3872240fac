internal import PlasmaStore

extension Options {
    /// What `--help` prints.
    static var help: String {
        let limits = StoreLimits()
        return """
            usage: plasma-store -s SOCKET -m BYTES [-d DIR [-h]] [-e STORE] [--limit VALUE ...]

            Keeps objects in shared memory for the processes of this machine; a drop-in for Apache
            Arrow's plasma-store-server. After any number k, m or g multiplies by 1024, 1024^2 or
            1024^3.

              -s SOCKET  path of the unix socket to listen on, at most 107 bytes
              -m BYTES   memory for objects, their data and metadata counted
              -d DIR     keep objects in nameless files in this directory; without it in
                         anonymous memory
              -h         with -d on a mount of type hugetlbfs: sizes are rounded to its huge pages,
                         which are taken at the start
              -e STORE   write evicted objects there instead of dropping them: file://DIR or DIR;
                         stores may share it. hashtable://NAME, which Arrow knows, is a private
                         directory for temporary files. Get brings objects back; they end with
                         the store
              --fallback-bytes BYTES
                         objects for which there is no room beside those in use go to a file of at
                         most this many bytes of objects; 0, the default, refuses them
              --fallback-dir DIR
                         where that file lies; by default where -d says, or in $TMPDIR or /tmp
              --measure-turns
                         debug strings tell the most processor time that the store took
                         between two looks at its clients, since the last such string
              --help     this text

            Limits of what clients may ask:

              --max-clients COUNT             connections; further ones are closed at once
                                              (\(limits.sessionCountMax))
              --max-ids COUNT                 objects named in one message; above it the client is
                                              dropped (\(limits.idCountMax))
              --max-request-bytes BYTES       a message without objects in it; above it the client
                                              is dropped (\(limits.requestByteCountMax))
              --max-notification-bytes BYTES  notifications that a subscriber has not read; above
                                              it its subscription ends (\(limits.notificationByteCountMax))
              --max-buffer-bytes BYTES        buffers of all clients, beside -m; above it the client
                                              with the most is dropped (\(limits.bufferByteCountMax))
              --max-unread-seconds SECONDS    for which a client takes none of its replies; then it
                                              is dropped (\(limits.unreadSecondsMax))
              --max-restore-seconds SECONDS   for which a Get waits for room to bring an object
                                              back; then it is answered without it (\(limits.restoreSecondsMax))
              --max-guard-seconds SECONDS     for which primary copies stay after a node manager has
                                              left; then they may be evicted (\(limits.guardSecondsMax))

            A message that carries objects may have -m and --max-request-bytes together, and never
            more than \(Int32.max) bytes. One client's quota takes from what all have together, of
            which 30 % remain.
            """
    }
}
