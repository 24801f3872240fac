#include <sys/select.h>  // first: see CLibevent/shim.h
#include <hiredis/hiredis.h>
#include <hiredis/async.h>
#include <hiredis/adapters/libevent.h>
