/*
 * Preloaded into the program under test: numbers every call that changes the file system below one folder, over all
 * threads, with one counter, and lets the world end at one of them.
 *
 * The calls run one at a time, so that "after call 12" is the state of exactly twelve calls. What is counted: open with
 * O_CREAT or O_TRUNC, write, pwrite, writev, pwritev, fsync, fdatasync, ftruncate, fallocate, link, rename, unlink, rmdir,
 * mkdir, symlink, copy_file_range, sendfile. With reads=1 (for error codes) every open is counted.
 *
 * It is driven from inside the program: opening "/.crashshim/<command>" never opens anything.
 *   watch;prefix=DIR;exclude=NAME,NAME   files that are opened from here on are known; nothing is counted yet
 *   arm;prefix=DIR;exclude=NAME,NAME;at=N;mode=MODE;errno=E;sticky=1;reads=1;log=FILE   starts the count at 1
 *   mark;TEXT    a line of its own in the log
 *   disarm
 * Modes: before, after, torn (half of a write, then the end), error (call N fails with E; sticky: and every one after
 * it; as a full disk does, ENOSPC lets half of a write through, without an error, and fails the next ones; as a broken disk
 * does, EIO at a sync loses what was written since the last one), power2 and power1 (the file system is shut down before call N; 2: what the journal has not written is lost,
 * 1: it is written first), log (nothing happens). power modes need root and their own mount.
 * Log line: number, call, path, second path or "-", bytes or offset, result or -errno; separated by tabs.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define MAX_FDS 4096
#define GOINGDOWN 0x8004587DUL /* _IOR('X', 125, __u32), ext4 and XFS alike */

enum mode { LOG, BEFORE, AFTER, TORN, FAIL, POWER };

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
static int watching, armed; /* which file a number is has to be known before the count begins */
static char prefix[1024], exclude[256];
static size_t prefix_length;
static enum mode mode;
static long at, counter;
static int fail_errno, sticky, reads, flush_flag, log_fd = -1;
static char *paths[MAX_FDS];
static off_t synced[MAX_FDS]; /* bytes of the file that no failed sync can take any more */
/* The next two writes to it fail: libuv itself tries the first one, and keeps quiet about it where some bytes went through. */
static int full_fd = -1, full_left;

/* glibc's own syscall(): the name is hooked too, because libuv copies files through it. */
static long (*sys)(long, ...);

__attribute__((constructor)) static void start(void) {
  sys = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
  unsetenv("LD_PRELOAD"); /* not for children */
}

static void write_log(const char *format, ...) {
  if (log_fd < 0) return;
  char line[4096];
  va_list args;
  va_start(args, format);
  int length = vsnprintf(line, sizeof line, format, args);
  va_end(args);
  if (length > 0) sys(SYS_write, log_fd, line, length < (int)sizeof line ? (size_t)length : sizeof line - 1);
}

static int below(const char *path) {
  if (!watching || !path || strncmp(path, prefix, prefix_length) != 0) return 0;
  if (path[prefix_length] != '/' && path[prefix_length] != 0) return 0;
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  char list[sizeof exclude];
  strcpy(list, exclude);
  char *rest = NULL;
  for (char *one = strtok_r(list, ",", &rest); one; one = strtok_r(NULL, ",", &rest))
    if (strncmp(name, one, strlen(one)) == 0) return 0;
  return 1;
}

static void forget(int fd) {
  if (fd < 0 || fd >= MAX_FDS || !paths[fd]) return;
  free(paths[fd]);
  paths[fd] = NULL;
}

/* A number that was closed behind our back and is a socket or a pipe by now is nobody's file. */
static const char *path_of(int fd) {
  if (fd < 0 || fd >= MAX_FDS || !paths[fd]) return NULL;
  struct stat info;
  int saved = errno;
  int file = fstat(fd, &info) == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode));
  errno = saved;
  if (!file) forget(fd);
  return file ? paths[fd] : NULL;
}

static void __attribute__((noreturn)) end(void) {
  kill(getpid(), SIGKILL);
  for (;;) pause();
}

static void cut_power(void) {
  int fd = sys(SYS_openat, AT_FDCWD, prefix, O_RDONLY | O_DIRECTORY, 0);
  unsigned flag = (unsigned)flush_flag;
  if (fd < 0 || ioctl(fd, GOINGDOWN, &flag) != 0) {
    dprintf(2, "crashshim: cannot shut down the file system of %s: %s\n", prefix, strerror(errno));
    _exit(99);
  }
  end();
}

struct call {
  const char *name, *path, *second;
  long bytes;
  int writes, fd;
};

enum what { WHOLE, FAILED, HALF };

static void lose_unsynced(int fd) {
  char name[64], zeros[4096] = {0};
  struct stat info;
  snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return;
  int other = sys(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CLOEXEC, 0);
  for (off_t at_byte = synced[fd]; at_byte < info.st_size; at_byte += sizeof zeros) {
    size_t left = info.st_size - at_byte;
    sys(SYS_pwrite64, other, zeros, left < sizeof zeros ? left : sizeof zeros, at_byte);
  }
  sys(SYS_close, other);
}

/* With the turn taken. FAILED comes with errno. */
static enum what before(struct call call) {
  counter++;
  int here = counter == at;
  if (here && mode == BEFORE) write_log("%ld\t%s\t%s\t%s\t%ld\tend\n", counter, call.name, call.path, call.second, call.bytes), end();
  if (here && mode == POWER) cut_power();
  int full = call.writes && full_fd == call.fd && full_left > 0;
  if (full) full_left--;
  if (mode == FAIL && (here || full || (sticky && at > 0 && counter > at))) {
    if (here && fail_errno == ENOSPC && call.writes && call.bytes > 1) {
      full_fd = call.fd;
      full_left = 2;
      return HALF;
    }
    if (fail_errno == EIO && strstr(call.name, "sync")) lose_unsynced(call.fd);
    errno = fail_errno;
    return FAILED;
  }
  return here && mode == TORN && call.writes ? HALF : WHOLE;
}

static void after(struct call call, long result) {
  int saved = errno;
  write_log("%ld\t%s\t%s\t%s\t%ld\t%ld\n", counter, call.name, call.path, call.second, call.bytes, result < 0 ? -(long)saved : result);
  if (counter == at && (mode == AFTER || mode == TORN)) end();
  errno = saved;
}

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

/* ---- commands ---- */

static void arm(char *spec, int only_watch) {
  at = counter = 0;
  mode = LOG;
  fail_errno = EIO;
  sticky = reads = 0;
  full_fd = -1;
  flush_flag = 2;
  exclude[0] = prefix[0] = 0;
  char *rest = NULL;
  for (char *item = strtok_r(spec, ";", &rest); item; item = strtok_r(NULL, ";", &rest)) {
    char *value = strchr(item, '=');
    if (!value) continue;
    *value++ = 0;
    if (!strcmp(item, "prefix")) snprintf(prefix, sizeof prefix, "%s", value);
    else if (!strcmp(item, "exclude")) snprintf(exclude, sizeof exclude, "%s", value);
    else if (!strcmp(item, "at")) at = atol(value);
    else if (!strcmp(item, "errno")) fail_errno = atoi(value);
    else if (!strcmp(item, "sticky")) sticky = atoi(value);
    else if (!strcmp(item, "reads")) reads = atoi(value);
    else if (!strcmp(item, "log")) log_fd = sys(SYS_openat, AT_FDCWD, value, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    else if (!strcmp(item, "mode")) {
      if (!strcmp(value, "before")) mode = BEFORE;
      else if (!strcmp(value, "after")) mode = AFTER;
      else if (!strcmp(value, "torn")) mode = TORN;
      else if (!strcmp(value, "error")) mode = FAIL;
      else if (!strncmp(value, "power", 5)) mode = POWER, flush_flag = atoi(value + 5);
    }
  }
  prefix_length = strlen(prefix);
  watching = prefix_length > 0;
  armed = watching && !only_watch;
}

static int command(const char *path) {
  static const char start[] = "/.crashshim/";
  if (!path || strncmp(path, start, sizeof start - 1) != 0) return 0;
  pthread_mutex_lock(&turn);
  char spec[4096];
  snprintf(spec, sizeof spec, "%s", path + sizeof start - 1);
  if (!strncmp(spec, "arm;", 4)) arm(spec + 4, 0);
  else if (!strncmp(spec, "watch;", 6)) arm(spec + 6, 1);
  else if (!strncmp(spec, "mark;", 5)) write_log("0\tmark\t%s\t-\t0\t0\n", spec + 5);
  else {
    watching = armed = 0;
    if (log_fd >= 0) sys(SYS_close, log_fd);
    log_fd = -1;
  }
  pthread_mutex_unlock(&turn);
  errno = ENOENT;
  return 1;
}

/* ---- names ---- */

static int open_at(int dir, const char *path, int flags, mode_t bits) {
  if (command(path)) return -1;
  if (!below(path)) {
    int fd = sys(SYS_openat, dir, path, flags, bits);
    if (fd >= 0 && fd < MAX_FDS && paths[fd]) forget(fd);
    return fd;
  }
  int changes = (flags & (O_CREAT | O_TRUNC)) != 0;
  struct call call = {changes ? "open" : "open-read", path, "-", flags & O_EXCL ? 1 : 0, 0, -1};
  int fd = armed && (changes || reads) ? (int)COUNTED(call, sys(SYS_openat, dir, path, flags, bits), -1)
                            : (int)sys(SYS_openat, dir, path, flags, bits);
  if (fd >= 0 && fd < MAX_FDS) {
    int saved = errno;
    forget(fd);
    paths[fd] = strdup(path);
    struct stat info;
    synced[fd] = fstat(fd, &info) == 0 ? info.st_size : 0;
    errno = saved;
  }
  return fd;
}

#define OPEN_BITS(flags)                     \
  mode_t bits = 0;                           \
  if ((flags) & (O_CREAT | O_TMPFILE)) {     \
    va_list args;                            \
    va_start(args, flags);                   \
    bits = va_arg(args, mode_t);             \
    va_end(args);                            \
  }

int open(const char *path, int flags, ...) { OPEN_BITS(flags) return open_at(AT_FDCWD, path, flags, bits); }
int open64(const char *path, int flags, ...) { OPEN_BITS(flags) return open_at(AT_FDCWD, path, flags | O_LARGEFILE, bits); }
int openat(int dir, const char *path, int flags, ...) { OPEN_BITS(flags) return open_at(dir, path, flags, bits); }
int openat64(int dir, const char *path, int flags, ...) { OPEN_BITS(flags) return open_at(dir, path, flags | O_LARGEFILE, bits); }
int creat(const char *path, mode_t bits) { return open_at(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, bits); }

int close(int fd) {
  forget(fd);
  return sys(SYS_close, fd);
}

#define NAMES(name, first, second_path, real)                                                     \
  do {                                                                                            \
    if (!armed || (!below(first) && !below(second_path))) return real;                                        \
    struct call call = {name, first, (second_path) ? (const char *)(second_path) : "-", 0, 0, -1}; \
    return (int)COUNTED(call, real, -1);                                                          \
  } while (0)

int linkat(int a, const char *from, int b, const char *to, int flags) { NAMES("link", from, to, sys(SYS_linkat, a, from, b, to, flags)); }
int link(const char *from, const char *to) { return linkat(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat2(int a, const char *from, int b, const char *to, unsigned flags) { NAMES("rename", from, to, sys(SYS_renameat2, a, from, b, to, flags)); }
int renameat(int a, const char *from, int b, const char *to) { return renameat2(a, from, b, to, 0); }
int rename(const char *from, const char *to) { return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0); }
int unlinkat(int dir, const char *path, int flags) { NAMES(flags & AT_REMOVEDIR ? "rmdir" : "unlink", path, NULL, sys(SYS_unlinkat, dir, path, flags)); }
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlinkat(AT_FDCWD, path, AT_REMOVEDIR); }
int mkdirat(int dir, const char *path, mode_t bits) { NAMES("mkdir", path, NULL, sys(SYS_mkdirat, dir, path, bits)); }
int mkdir(const char *path, mode_t bits) { return mkdirat(AT_FDCWD, path, bits); }
int symlinkat(const char *target, int dir, const char *path) { NAMES("symlink", path, NULL, sys(SYS_symlinkat, target, dir, path)); }
int symlink(const char *target, const char *path) { return symlinkat(target, AT_FDCWD, path); }

/* ---- bytes ---- */

/* An answer on a socket is no change of the file system, but its place in the order is what the log is for. */
static void note_reply(int fd, const void *bytes, size_t length) {
  if (log_fd < 0 || path_of(fd) || length < 12 || memcmp(bytes, "HTTP/1.1 ", 9) != 0) return;
  int saved = errno;
  pthread_mutex_lock(&turn);
  write_log("0\treply\t%.3s\t-\t%zu\t0\n", (const char *)bytes + 9, length);
  pthread_mutex_unlock(&turn);
  errno = saved;
}

static size_t total(const struct iovec *parts, int count) {
  size_t sum = 0;
  for (int k = 0; k < count; k++) sum += parts[k].iov_len;
  return sum;
}

static ssize_t half_of(int fd, const struct iovec *parts, int count, off_t offset) {
  size_t half = total(parts, count) / 2, left = half;
  for (int k = 0; k < count && left > 0; k++) {
    size_t now = parts[k].iov_len < left ? parts[k].iov_len : left;
    if (offset < 0) sys(SYS_write, fd, parts[k].iov_base, now);
    else sys(SYS_pwrite64, fd, parts[k].iov_base, now, offset), offset += now;
    left -= now;
  }
  return half;
}

ssize_t write(int fd, const void *bytes, size_t length) {
  const char *path = path_of(fd);
  if (!armed || !path) {
    note_reply(fd, bytes, length);
    return sys(SYS_write, fd, bytes, length);
  }
  struct iovec part = {(void *)bytes, length};
  struct call call = {"write", path, "-", (long)length, 1, fd};
  return COUNTED(call, sys(SYS_write, fd, bytes, length), half_of(fd, &part, 1, -1));
}

static ssize_t pwrite_at(int fd, const void *bytes, size_t length, off_t offset) {
  const char *path = path_of(fd);
  if (!armed || !path) return sys(SYS_pwrite64, fd, bytes, length, offset);
  struct iovec part = {(void *)bytes, length};
  struct call call = {"write", path, "-", (long)length, 1, fd};
  return COUNTED(call, sys(SYS_pwrite64, fd, bytes, length, offset), half_of(fd, &part, 1, offset));
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite_at(fd, bytes, length, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return pwrite_at(fd, bytes, length, offset); }

ssize_t writev(int fd, const struct iovec *parts, int count) {
  const char *path = path_of(fd);
  if (!armed || !path) {
    if (count > 0) note_reply(fd, parts[0].iov_base, parts[0].iov_len);
    return sys(SYS_writev, fd, parts, count);
  }
  struct call call = {"write", path, "-", (long)total(parts, count), 1, fd};
  return COUNTED(call, sys(SYS_writev, fd, parts, count), half_of(fd, parts, count, -1));
}

static ssize_t pwritev_at(int fd, const struct iovec *parts, int count, off_t offset) {
  const char *path = path_of(fd);
  if (!armed || !path) return sys(SYS_pwritev, fd, parts, count, (long)offset, 0L);
  struct call call = {"write", path, "-", (long)total(parts, count), 1, fd};
  return COUNTED(call, sys(SYS_pwritev, fd, parts, count, (long)offset, 0L), half_of(fd, parts, count, offset));
}
ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset) { return pwritev_at(fd, parts, count, offset); }
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset) { return pwritev_at(fd, parts, count, offset); }

#define ON_FD(name, amount, real)                            \
  do {                                                       \
    const char *path = path_of(fd);                          \
    if (!armed || !path) return real;                        \
    struct call call = {name, path, "-", (long)(amount), 0, fd}; \
    return COUNTED(call, real, -1);                          \
  } while (0)

static int sync_fd(int number, int fd) {
  struct stat info;
  off_t size = fstat(fd, &info) == 0 ? info.st_size : 0;
  int result = sys(number, fd);
  if (result == 0 && fd >= 0 && fd < MAX_FDS) synced[fd] = size;
  return result;
}

int fsync(int fd) { ON_FD("fsync", 0, sync_fd(SYS_fsync, fd)); }
int fdatasync(int fd) { ON_FD("fdatasync", 0, sync_fd(SYS_fdatasync, fd)); }
static int cut(int fd, off_t size) {
  if (fd >= 0 && fd < MAX_FDS && synced[fd] > size) synced[fd] = size;
  return sys(SYS_ftruncate, fd, size);
}
int ftruncate(int fd, off_t size) { ON_FD("ftruncate", size, cut(fd, size)); }
int ftruncate64(int fd, off64_t size) { ON_FD("ftruncate", size, cut(fd, size)); }
int fallocate(int fd, int how, off_t offset, off_t length) { ON_FD("fallocate", length, (int)sys(SYS_fallocate, fd, how, offset, length)); }
int fallocate64(int fd, int how, off64_t offset, off64_t length) { ON_FD("fallocate", length, (int)sys(SYS_fallocate, fd, how, offset, length)); }

int truncate(const char *path, off_t size) { NAMES("truncate", path, NULL, sys(SYS_truncate, path, size)); }
int truncate64(const char *path, off64_t size) { NAMES("truncate", path, NULL, sys(SYS_truncate, path, size)); }

static ssize_t copy_range(int from, off64_t *from_at, int fd, off64_t *to_at, size_t length, unsigned flags) {
  ON_FD("copy_file_range", length, sys(SYS_copy_file_range, from, from_at, fd, to_at, length, flags));
}
ssize_t copy_file_range(int from, off64_t *from_at, int to, off64_t *to_at, size_t length, unsigned flags) { return copy_range(from, from_at, to, to_at, length, flags); }

static ssize_t send_file(int fd, int from, off64_t *offset, size_t count) { ON_FD("sendfile", count, sys(SYS_sendfile, fd, from, offset, count)); }
ssize_t sendfile(int to, int from, off_t *offset, size_t count) { return send_file(to, from, (off64_t *)offset, count); }
ssize_t sendfile64(int to, int from, off64_t *offset, size_t count) { return send_file(to, from, offset, count); }

long syscall(long number, ...) {
  va_list args;
  va_start(args, number);
  long a = va_arg(args, long), b = va_arg(args, long), c = va_arg(args, long), d = va_arg(args, long), e = va_arg(args, long), f = va_arg(args, long);
  va_end(args);
  if (number == SYS_close) forget((int)a);
  if (number == SYS_copy_file_range) return copy_range((int)a, (off64_t *)b, (int)c, (off64_t *)d, (size_t)e, (unsigned)f);
  return sys(number, a, b, c, d, e, f);
}
