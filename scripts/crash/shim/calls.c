/* The hooked calls. Each asks whether its file is counted, and leaves the rest to crashshim.c. */
#include "crashshim.h"

/* ---- names ---- */

static int open_at(int dir, const char *path, int flags, mode_t bits) {
  if (command(path)) return -1;
  if (!below(path)) {
    int fd = sys(SYS_openat, dir, path, flags, bits);
    forget(fd);
    return fd;
  }
  int changes = (flags & (O_CREAT | O_TRUNC)) != 0;
  struct call call = {changes ? "open" : "open-read", path, "-", flags & O_EXCL ? 1 : 0, 0, -1};
  int fd = armed && (changes || reads) ? (int)COUNTED(call, sys(SYS_openat, dir, path, flags, bits), -1)
                            : (int)sys(SYS_openat, dir, path, flags, bits);
  if (fd >= 0) remember(fd, path);
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
  if (result == 0) all_synced(fd, size);
  return result;
}

int fsync(int fd) { ON_FD("fsync", 0, sync_fd(SYS_fsync, fd)); }
int fdatasync(int fd) { ON_FD("fdatasync", 0, sync_fd(SYS_fdatasync, fd)); }
static int cut(int fd, off_t size) {
  struct stat info;
  if (fstat(fd, &info) == 0 && size < info.st_size) all_synced(fd, size);
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
