// glibc fixes its feature macros at the first system header that a translation unit reads. libevent
// defines _GNU_SOURCE in its own configuration and the Glibc module does not; the two then disagree
// on the layout of fd_set (swiftlang/swift#69311). Reading this header first keeps them equal.
#include <sys/select.h>
#include <event2/event.h>
