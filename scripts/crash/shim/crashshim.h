/* What the hooks need of the rest: whose files are counted, and what becomes of a call. */
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FDS 4096

#pragma GCC visibility push(hidden)

struct call {
  const char *name, *path, *second;
  long bytes;
  int writes, fd;
};

/* What is done instead of a call. */
enum what { WHOLE, FAILED, HALF };

/* glibc's own syscall(): the name is hooked too, because libuv copies files through it. */
extern long (*sys)(long, ...);
extern pthread_mutex_t turn;
extern int armed, reads;

int command(const char *path);
int below(const char *path);
const char *path_of(int fd);
void remember(int fd, const char *path);
void forget(int fd);
void all_synced(int fd, off_t size);
void note_reply(int fd, const void *bytes, size_t length);
enum what before(struct call call);
void after(struct call call, long result);

#pragma GCC visibility pop

/* Runs `real` as a counted call; `half` is what a torn one does. */
#define COUNTED(call, real, half)            \
  ({                                         \
    pthread_mutex_lock(&turn);               \
    struct call c_ = call;                   \
    long r_;                                 \
    enum what what_ = before(c_);            \
    if (what_ == FAILED) r_ = -1;            \
    else if (what_ == HALF) r_ = (half);     \
    else r_ = (real);                        \
    after(c_, r_);                           \
    int e_ = errno;                          \
    pthread_mutex_unlock(&turn);             \
    errno = e_;                              \
    r_;                                      \
  })
