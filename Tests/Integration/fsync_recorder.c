// Preloaded into gcs-server by test_durability.py: a disk that takes some milliseconds for a sync, and notes
// what is on it, so that the test can take away what a loss of power would take. The real disk is not
// asked: it may be slow while tests run, and what counts is when the server asks.
//
// DURABILITY_NOTES names the directory of the notes; what lies beside it is recorded, all by inode:
//
//   i<inode>        bytes of a file as of its last sync
//   u<inode>        what lay under bytes that were written over since: place, count, the bytes, for each write
//   d<inode>        names and inodes in a directory as of its last sync, one a line
//   grave/<inode>   a file whose name was removed or taken over: it has its name again when the power
//                   fails before the directory is synced; and meanwhile its inode is nobody else's
//
// DURABILITY_LIES is a part of paths: syncs of such files say that they went well, and nothing is on the
// disk.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

// One note at a time: an older one must not replace a newer one.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *notes(void) { return getenv("DURABILITY_NOTES"); }

// Whether a path lies where things are recorded: beside the notes.
static int is_ours(const char *path) {
    const char *place = notes();
    if (!place) return 0;
    const char *name = strrchr(place, '/');
    size_t length = name - place;
    return strncmp(path, place, length) == 0 && (path[length] == '/' || path[length] == 0)
        && strncmp(path, place, strlen(place)) != 0;
}

static int is_lied_about(const char *path) {
    const char *part = getenv("DURABILITY_LIES");
    return part && strstr(path, part);
}

static int raw_open(const char *path, int flags, mode_t mode) {
    return syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

// Notes how many bytes of a file are on the disk: more than before, or, when it was cut, less.
static void note_size(ino_t inode, long long size, int is_cut) {
    char target[PATH_MAX], text[32] = {0};
    pthread_mutex_lock(&lock);
    snprintf(target, sizeof target, "%s/i%lu", notes(), (unsigned long)inode);
    int file = raw_open(target, O_RDWR | O_CLOEXEC | (is_cut ? 0 : O_CREAT), 0644);
    if (file < 0 && !is_cut) abort();
    if (file >= 0) {
        long long known = pread(file, text, sizeof text - 1, 0) > 0 ? atoll(text) : 0;
        // 20 digits replace 20 digits in one call: never half a note.
        int length = snprintf(text, sizeof text, "%020lld\n", size);
        if ((is_cut ? size < known : size > known)
            && syscall(SYS_pwrite64, file, text, length, 0) != length)
            abort();
        close(file);
    }
    pthread_mutex_unlock(&lock);
}

// Notes what is about to be written over.
static void note_under(int descriptor, long long offset, size_t count) {
    struct stat status;
    char link[64], path[PATH_MAX], target[PATH_MAX];
    if (!notes() || fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) || offset >= status.st_size)
        return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    if (!is_ours(path)) return;
    if (count > (size_t)(status.st_size - offset)) count = status.st_size - offset;
    char *note = malloc(16 + count);
    int file = raw_open(path, O_RDONLY | O_CLOEXEC, 0);
    if (!note || file < 0 || pread(file, note + 16, count, offset) != (ssize_t)count) abort();
    close(file);
    memcpy(note, &(long long[]){offset, count}, 16);
    snprintf(target, sizeof target, "%s/u%lu", notes(), (unsigned long)status.st_ino);
    pthread_mutex_lock(&lock);
    file = raw_open(target, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0 || write(file, note, 16 + count) != (ssize_t)(16 + count)) abort();
    close(file);
    pthread_mutex_unlock(&lock);
    free(note);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t offset) {
    note_under(descriptor, offset, count);
    return syscall(SYS_pwrite64, descriptor, bytes, count, offset);
}
ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off64_t offset) {
    return pwrite(descriptor, bytes, count, offset);
}

// What was written over is on the disk.
static void forget_under(ino_t inode) {
    char target[PATH_MAX];
    snprintf(target, sizeof target, "%s/u%lu", notes(), (unsigned long)inode);
    syscall(SYS_unlinkat, AT_FDCWD, target, 0);
}

// Notes which names a directory has on the disk.
static void note_names(const char *path, ino_t inode) {
    char target[PATH_MAX], temporary[PATH_MAX + 32];
    snprintf(target, sizeof target, "%s/d%lu", notes(), (unsigned long)inode);
    snprintf(temporary, sizeof temporary, "%s.%ld", target, (long)syscall(SYS_gettid));
    pthread_mutex_lock(&lock);
    DIR *directory = opendir(path);
    if (!directory) abort();
    int file = raw_open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0) abort();
    for (struct dirent *entry; (entry = readdir(directory));) {
        if (entry->d_name[0] == '.') continue;
        dprintf(file, "%lu %s\n", (unsigned long)entry->d_ino, entry->d_name);
    }
    closedir(directory);
    close(file);
    if (syscall(SYS_renameat, AT_FDCWD, temporary, AT_FDCWD, target) != 0) abort();
    pthread_mutex_unlock(&lock);
}

static int record_sync(int descriptor) {
    struct stat before;
    char link[64], path[PATH_MAX];
    if (fstat(descriptor, &before) != 0) return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t count = readlink(link, path, sizeof path - 1);
    path[count > 0 ? count : 0] = 0;
    char *deleted = strstr(path, " (deleted)");
    if (deleted) *deleted = 0;
    int counts = is_ours(path) && !is_lied_about(path);
    // What is done while the sync is under way need not be on the disk after it.
    if (counts && S_ISDIR(before.st_mode)) {
        note_names(path, before.st_ino);
        usleep(500);
        return 0;
    }
    usleep(500 + (useconds_t)(before.st_size * 7919 % 4000));
    if (counts) {
        note_size(before.st_ino, before.st_size, 0);
        forget_under(before.st_ino);
    }
    return 0;
}

int fdatasync(int descriptor) { return record_sync(descriptor); }
int fsync(int descriptor) { return record_sync(descriptor); }

// Starts to write bytes back; promises nothing.
int sync_file_range(int descriptor, off64_t offset, off64_t count, unsigned flags) {
    (void)descriptor, (void)offset, (void)count, (void)flags;
    return 0;
}

// Keeps a file that is about to lose its name.
static void keep(const char *path) {
    struct stat status;
    char target[PATH_MAX];
    if (!is_ours(path) || lstat(path, &status) != 0 || !S_ISREG(status.st_mode)) return;
    snprintf(target, sizeof target, "%s/grave/%lu", notes(), (unsigned long)status.st_ino);
    if (link(path, target) != 0 && errno != EEXIST) abort();
}

int unlink(const char *path) {
    keep(path);
    return syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

int rename(const char *from, const char *to) {
    keep(to);
    return syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
}

int ftruncate(int descriptor, off_t size) {
    struct stat status;
    int result = syscall(SYS_ftruncate, descriptor, size);
    if (result == 0 && notes() && fstat(descriptor, &status) == 0) note_size(status.st_ino, size, 1);
    return result;
}
int ftruncate64(int descriptor, off64_t size) { return ftruncate(descriptor, size); }

static int record_open(const char *path, int flags, mode_t mode) {
    int descriptor = raw_open(path, flags, mode);
    struct stat status;
    if (descriptor >= 0 && flags & O_TRUNC && is_ours(path) && fstat(descriptor, &status) == 0)
        note_size(status.st_ino, 0, 1);
    return descriptor;
}

static mode_t mode_of(int flags, va_list rest) {
    return flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return record_open(path, flags, mode);
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_of(flags, rest);
    va_end(rest);
    return record_open(path, flags, mode);
}
