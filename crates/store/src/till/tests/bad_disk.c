/* Stands between a process and its C library, and fails for the disk.
 *
 * Loaded with LD_PRELOAD. A plan is made by opening
 *     /bourse-fault/<kind>/<after>/<times>
 * which no file system has: of the calls of that kind on a database's files,
 * `after` succeed and the `times` that follow fail. Opening /bourse-fault/off
 * ends the plan. Either answers EACCES if a call failed since the last plan,
 * else ENOENT, so that a test knows whether its plan was met.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define PREFIX "/bourse-fault/"

enum kind { OFF, READ_EIO, WRITE_EIO, WRITE_FULL, WRITE_SHORT, SYNC_EIO, CUT_EIO };
static const char *const NAMES[] = {"off", "read-eio", "write-eio", "write-full",
                                    "write-short", "sync-eio", "cut-eio"};

static _Atomic int planned = OFF;
static _Atomic long after_calls, times_left;
static _Atomic int met;

/* Only a database and its log: not its index, which is memory, and not the
 * journal, whose disk fails in tests of its own. */
static int is_database(int fd) {
  char link[64], path[4096];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, sizeof path - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return strstr(path, "bourse.db") != NULL && strstr(path, "-shm") == NULL;
}

static int fails(enum kind kind, int fd) {
  if (planned != (int)kind || !is_database(fd)) return 0;
  if (after_calls-- > 0) return 0;
  if (times_left-- <= 0) return 0;
  met = 1;
  return 1;
}

static int plan(const char *what) {
  char name[32];
  long after = 0, times = 0;
  int was_met = met;
  planned = OFF;
  met = 0;
  if (sscanf(what, "%31[^/]/%ld/%ld", name, &after, &times) >= 1)
    for (int kind = READ_EIO; kind <= CUT_EIO; kind++)
      if (strcmp(name, NAMES[kind]) == 0) {
        after_calls = after;
        times_left = times;
        planned = kind;
      }
  errno = was_met ? EACCES : ENOENT;
  return -1;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int open_as(int (*real)(const char *, int, ...), const char *path, int flags, mode_t mode) {
  if (strncmp(path, PREFIX, strlen(PREFIX)) == 0) return plan(path + strlen(PREFIX));
  return real(path, flags, mode);
}

#define OPEN(name)                                                  \
  int name(const char *path, int flags, ...) {                      \
    va_list rest;                                                   \
    va_start(rest, flags);                                          \
    mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(rest, mode_t) : 0; \
    va_end(rest);                                                   \
    return open_as(REAL(name), path, flags, mode);                  \
  }
OPEN(open)
OPEN(open64)

ssize_t read(int fd, void *to, size_t length) {
  if (fails(READ_EIO, fd)) return errno = EIO, -1;
  return REAL(read)(fd, to, length);
}

ssize_t pread64(int fd, void *to, size_t length, off64_t at) {
  if (fails(READ_EIO, fd)) return errno = EIO, -1;
  return REAL(pread64)(fd, to, length, at);
}

/* Whether a write fails; a short one writes a part, and fails when the rest
 * is tried. */
static int write_fails(int fd, size_t *length) {
  static _Atomic int was_short;
  if (fails(WRITE_EIO, fd)) return errno = EIO, 1;
  if (fails(WRITE_FULL, fd)) return errno = ENOSPC, 1;
  if (fails(WRITE_SHORT, fd)) {
    if (was_short || *length < 2) {
      was_short = 0;
      errno = ENOSPC;
      return 1;
    }
    was_short = 1;
    *length /= 2;
  }
  return 0;
}

ssize_t write(int fd, const void *from, size_t length) {
  if (write_fails(fd, &length)) return -1;
  return REAL(write)(fd, from, length);
}

ssize_t pwrite64(int fd, const void *from, size_t length, off64_t at) {
  if (write_fails(fd, &length)) return -1;
  return REAL(pwrite64)(fd, from, length, at);
}

int fsync(int fd) {
  if (fails(SYNC_EIO, fd)) return errno = EIO, -1;
  return REAL(fsync)(fd);
}

int fdatasync(int fd) {
  if (fails(SYNC_EIO, fd)) return errno = EIO, -1;
  return REAL(fdatasync)(fd);
}

int ftruncate64(int fd, off64_t length) {
  if (fails(CUT_EIO, fd)) return errno = EIO, -1;
  return REAL(ftruncate64)(fd, length);
}

int ftruncate(int fd, off_t length) {
  if (fails(CUT_EIO, fd)) return errno = EIO, -1;
  return REAL(ftruncate)(fd, length);
}
