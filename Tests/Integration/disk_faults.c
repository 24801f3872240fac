// Preloaded into gcs-server by test_flushing_failures.py: a disk that fails as the test wants, while the
// server runs.
//
// DISK_FAULTS names a file with one fault a line, read again for each call:
//
//   <write or sync> <number of the error> <pattern of paths, as of fnmatch(3)>
//   slow <microseconds for each 64 KiB written> <pattern of paths>
//
// A write that fails has written half of its bytes.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

// The error that a call is to end with; 0 for none.
static int fault_of(const char *call, int descriptor) {
    const char *path = getenv("DISK_FAULTS");
    if (!path) return 0;
    char text[1024], link[64], name[PATH_MAX];
    int file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    if (file < 0) return 0;
    ssize_t count = syscall(SYS_pread64, file, text, sizeof text - 1, 0L);
    syscall(SYS_close, file);
    if (count <= 0) return 0;
    text[count] = 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, name, sizeof name - 1);
    if (length <= 0) return 0;
    name[length] = 0;
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char word[16], pattern[256];
        int number = 0;
        if (sscanf(line, "%15s %d %255s", word, &number, pattern) == 3 && strcmp(word, call) == 0
            && fnmatch(pattern, name, 0) == 0)
            return number;
    }
    return 0;
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    int number = fault_of("write", descriptor);
    if (number == 0) return syscall(SYS_write, descriptor, bytes, count);
    if (count > 1) syscall(SYS_write, descriptor, bytes, count / 2);
    errno = number;
    return -1;
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    int number = fault_of("write", descriptor);
    usleep(fault_of("slow", descriptor) * (count / 65536));
    if (number == 0) return syscall(SYS_pwrite64, descriptor, bytes, count, offset);
    errno = number;
    return -1;
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    return pwrite64(descriptor, bytes, count, offset);
}

int fdatasync(int descriptor) {
    int number = fault_of("sync", descriptor);
    if (number == 0) return syscall(SYS_fdatasync, descriptor);
    errno = number;
    return -1;
}

int fsync(int descriptor) {
    int number = fault_of("sync", descriptor);
    if (number == 0) return syscall(SYS_fsync, descriptor);
    errno = number;
    return -1;
}
