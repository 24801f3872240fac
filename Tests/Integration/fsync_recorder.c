// Preloaded into gcs-server by test_durability.py: a disk that takes some milliseconds for a sync, and notes
// how many bytes of each file it has, so that the test can cut off what a loss of power would lose. The
// real disk is not asked: it may be slow while tests run, and what counts is when the server asks.
//
// DURABILITY_NOTES names the directory of the notes. With DURABILITY_LIES set, syncs say that they went
// well, and nothing is on the disk.
#define _GNU_SOURCE
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void note(int descriptor, long long size) {
    const char *notes = getenv("DURABILITY_NOTES");
    char link[64], path[PATH_MAX], target[PATH_MAX + 64], text[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t count = readlink(link, path, sizeof path - 1);
    if (!notes || count <= 0) return;
    path[count] = 0;
    const char *name = strrchr(path, '/');
    if (!name || getenv("DURABILITY_LIES")) return;
    snprintf(target, sizeof target, "%s%s", notes, name);
    int file = open(target, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    if (file < 0) return;
    // Sizes of a file only grow, and 20 digits replace 20 digits in one call: never half a note.
    int length = snprintf(text, sizeof text, "%020lld\n", size);
    if (pwrite(file, text, length, 0) != length) abort();
    close(file);
}

int fdatasync(int descriptor) {
    struct stat before;
    if (fstat(descriptor, &before) != 0) return -1;
    usleep(500 + (useconds_t)(before.st_size * 7919 % 4000));
    note(descriptor, (long long)before.st_size);
    return 0;
}
