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
#include "crashshim.h"

#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>

#define GOINGDOWN 0x8004587DUL /* _IOR('X', 125, __u32), ext4 and XFS alike */

enum mode { LOG, BEFORE, AFTER, TORN, FAIL, POWER };

pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;
int armed, reads;
static int watching; /* which file a number is has to be known before the count begins */
static char prefix[1024], exclude[256];
static size_t prefix_length;
static enum mode mode;
static long at, counter;
static int fail_errno, sticky, flush_flag, log_fd = -1;
static char *paths[MAX_FDS];
static off_t synced[MAX_FDS]; /* bytes of the file that no failed sync can take any more */
/* The next two writes to it fail: libuv itself tries the first one, and keeps quiet about it where some bytes went through. */
static int full_fd = -1, full_left;

long (*sys)(long, ...);

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

int below(const char *path) {
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

void forget(int fd) {
  if (fd < 0 || fd >= MAX_FDS || !paths[fd]) return;
  if (fd == full_fd) full_fd = -1;
  free(paths[fd]);
  paths[fd] = NULL;
}

void remember(int fd, const char *path) {
  if (fd < 0 || fd >= MAX_FDS) return;
  int saved = errno;
  struct stat info;
  forget(fd);
  paths[fd] = strdup(path);
  synced[fd] = fstat(fd, &info) == 0 ? info.st_size : 0;
  errno = saved;
}

void all_synced(int fd, off_t size) {
  if (fd >= 0 && fd < MAX_FDS) synced[fd] = size;
}

/* A number that was closed behind our back and is a socket or a pipe by now is nobody's file. */
const char *path_of(int fd) {
  if (fd < 0 || fd >= MAX_FDS || !paths[fd]) return NULL;
  struct stat info;
  int saved = errno;
  int file = fstat(fd, &info) == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode));
  errno = saved;
  if (!file) forget(fd);
  return file ? paths[fd] : NULL;
}

/* An answer on a socket is no change of the file system, but its place in the order is what the log is for. */
void note_reply(int fd, const void *bytes, size_t length) {
  if (log_fd < 0 || path_of(fd) || length < 12 || memcmp(bytes, "HTTP/1.1 ", 9) != 0) return;
  int saved = errno;
  pthread_mutex_lock(&turn);
  write_log("0\treply\t%.3s\t-\t%zu\t0\n", (const char *)bytes + 9, length);
  pthread_mutex_unlock(&turn);
  errno = saved;
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
enum what before(struct call call) {
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

void after(struct call call, long result) {
  int saved = errno;
  write_log("%ld\t%s\t%s\t%s\t%ld\t%ld\n", counter, call.name, call.path, call.second, call.bytes, result < 0 ? -(long)saved : result);
  if (counter == at && (mode == AFTER || mode == TORN)) end();
  errno = saved;
}

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

int command(const char *path) {
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
