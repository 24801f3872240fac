// System calls that Swift's Glibc module hides, behind names of our own. Everything is static
// inline: this module has no object file. The calls are declared here rather than through
// _GNU_SOURCE, which would change the layout of types shared with the Glibc module.
#pragma once
#include <malloc.h>
#include <sys/select.h>
#include <sys/eventfd.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#include <sys/syscall.h>

/// An anonymous file in memory, close-on-exec; -1 with errno on failure.
static inline int gcs_memfd_create(const char *name, unsigned int flags) {
    return (int)syscall(SYS_memfd_create, name, flags | 1u /* MFD_CLOEXEC */);
}

/// Gives the pages under [offset, offset + length) back to the system; the file keeps its size.
static inline int gcs_punch_hole(int fd, int64_t offset, int64_t length) {
    return (int)syscall(SYS_fallocate, fd, 0x01 | 0x02 /* KEEP_SIZE | PUNCH_HOLE */, offset, length);
}

/// Blocks of the file system behind [offset, offset + length); the file keeps its size.
static inline int gcs_reserve(int fd, int64_t offset, int64_t length) {
    return (int)syscall(SYS_fallocate, fd, 0x01 /* KEEP_SIZE */, offset, length);
}

/// Has what was written to [offset, offset + length) go to the disk from now on; waits for nothing but room in the
/// disk's queue, and promises nothing.
static inline int gcs_begin_writing(int fd, int64_t offset, int64_t length) {
    return (int)syscall(SYS_sync_file_range, fd, offset, length, 2 /* SYNC_FILE_RANGE_WRITE */);
}

/// Bytes of the huge pages that a directory lies on; 0 when it is on none, -1 with errno.
static inline int64_t gcs_huge_page_bytes(const char *path) {
    struct statfs status;
    if (statfs(path, &status) != 0) return -1;
    return ((uint64_t)status.f_type & 0xffffffffu) == 0x958458f6u /* HUGETLBFS_MAGIC */ ? (int64_t)status.f_bsize : 0;
}

/// Blocks of at least `bytes` get pages of their own from the C library, now and later: they grow by
/// remapping, and their pages go back to the system with them.
static inline void gcs_map_blocks(int bytes) { mallopt(M_MMAP_THRESHOLD, bytes); }

/// What sched_getattr and sched_setattr exchange.
struct gcs_schedule {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t least, most;
};

/// Makes the calling thread `nicer` than it is (less than 0: less nice, which few may), and has the scheduler give
/// it turns of so many nanoseconds; 0: of the usual length. One with shorter turns goes first when it wakes, and
/// gets no more for it (Linux 6.12; others leave turns as they are). A thread with a policy of its own keeps it.
static inline void gcs_schedule_thread(int nicer, uint64_t nanoseconds) {
    struct gcs_schedule schedule = {.size = sizeof schedule};
    if (syscall(SYS_sched_getattr, 0, &schedule, sizeof schedule, 0) != 0 || schedule.policy != 0) return;
    schedule.nice = schedule.nice + nicer > 19 ? 19 : schedule.nice + nicer;
    schedule.runtime = nanoseconds;
    schedule.flags = 0;
    (void)syscall(SYS_sched_setattr, 0, &schedule, 0);
}

/// The processor that the calling thread runs on.
static inline int gcs_processor(void) {
    unsigned processor = 0;
    return syscall(SYS_getcpu, &processor, NULL, NULL) == 0 ? (int)processor : -1;
}

/// Reads the processors that the calling thread may run on, one bit for each, into `byteCount` bytes. Returns 0, or -1
/// with errno.
static inline int gcs_get_processors(unsigned long *mask, size_t byteCount) {
    return syscall(SYS_sched_getaffinity, 0, byteCount, mask) > 0 ? 0 : -1;
}

/// Has the calling thread run on these only. Returns 0, or -1 with errno.
static inline int gcs_set_processors(const unsigned long *mask, size_t byteCount) {
    return (int)syscall(SYS_sched_setaffinity, 0, byteCount, mask);
}

/// accept4 with non-blocking and close-on-exec set.
static inline int gcs_accept(int fd) {
    return (int)syscall(SYS_accept4, fd, NULL, NULL, 02000000 | 04000 /* SOCK_CLOEXEC | SOCK_NONBLOCK */);
}

/// Has urgent bytes read in their turn: those that are skipped take the descriptors with them along, unseen.
static inline void gcs_read_urgent(int socket) {
    int on = 1;
    (void)setsockopt(socket, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
}

/// Sends one byte that carries `passed`. Returns 1, or -1 with errno.
static inline ssize_t gcs_send_descriptor(int socket, int passed) {
    char byte = 0;
    struct iovec part = {&byte, 1};
    union { struct cmsghdr align; char bytes[CMSG_SPACE(sizeof(int))]; } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {0};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &passed, sizeof(int));
    return sendmsg(socket, &message, MSG_NOSIGNAL);
}

/// The most descriptors that the system lets one message carry.
enum { GCS_DESCRIPTOR_COUNT_MAX = 253 };

/// Reads up to `capacity` bytes; the descriptors that came along go to `passed`, which has room for
/// GCS_DESCRIPTOR_COUNT_MAX, and their number to `*count`. Returns the bytes read, 0 at the end, -1 with errno.
static inline ssize_t gcs_receive_descriptors(
    int socket, void *bytes, size_t capacity, int flags, int *passed, int *count
) {
    struct iovec part = {bytes, capacity};
    union { struct cmsghdr align; char bytes[CMSG_SPACE(GCS_DESCRIPTOR_COUNT_MAX * sizeof(int))]; } control;
    struct msghdr message = {0};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    *count = 0;
    ssize_t received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | flags);
    if (received < 0) return received;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        size_t bytes_passed = header->cmsg_len - CMSG_LEN(0);
        memcpy(passed, CMSG_DATA(header), bytes_passed);
        *count = (int)(bytes_passed / sizeof(int));
    }
    return received;
}

/// Reads up to `capacity` bytes; the first descriptor that came along goes to `*passed` (-1 when
/// none did), further ones are closed. Returns the bytes read, 0 at the end, -1 with errno.
static inline ssize_t gcs_receive_descriptor(int socket, void *bytes, size_t capacity, int *passed) {
    int all[GCS_DESCRIPTOR_COUNT_MAX], count;
    ssize_t received = gcs_receive_descriptors(socket, bytes, capacity, 0, all, &count);
    *passed = count > 0 ? all[0] : -1;
    for (int index = 1; index < count; index++) close(all[index]);
    return received;
}

/// The process at the other end of a local socket; 0 when unknown.
static inline int32_t gcs_peer_process(int socket) {
    struct { int32_t pid; uint32_t uid; uint32_t gid; } peer = {0, 0, 0};
    socklen_t length = sizeof peer;
    if (getsockopt(socket, SOL_SOCKET, 17 /* SO_PEERCRED */, &peer, &length) != 0) return 0;
    return peer.pid;
}

/// A descriptor that counts: readable while what was written to it was not read; -1 on failure.
static inline int gcs_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
