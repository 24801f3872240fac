#include <sys/select.h>  // first: see CLibevent/shim.h
#include <rocksdb/c.h>
