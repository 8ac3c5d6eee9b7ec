/*
 * What the benchmarks do to a mount, where an interpreter would hide what is measured.
 *
 *     client ROOT COMMAND ARGUMENT...
 *
 * changes to the directory ROOT, so that every path is looked up from there, does COMMAND and prints how many
 * nanoseconds its loop took, without the start of the program. A LIST is a file of paths, each ended by a zero byte.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static char buffer[1 << 20];

static void fail(const char *what) {
    fprintf(stderr, "client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void need(int good, const char *what) {
    if (!good) fail(what);
}

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static uint64_t step(uint64_t *state) {
    /* xorshift: the same places on every system */
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static int opened(const char *path, int flags) {
    int file = open(path, flags | O_CLOEXEC, 0644);
    need(file >= 0, path);
    return file;
}

/* Loops over a LIST. */

static void list_lstat(const char *path) {
    struct stat status;
    if (lstat(path, &status) != 0 && errno != ENOENT) fail(path);
}

static void list_read(const char *path) {
    int file = opened(path, O_RDONLY);
    ssize_t got;
    while ((got = read(file, buffer, 128 << 10)) > 0) {}
    need(got == 0, path);
    close(file);
}

static void list_write_once(const char *path) {
    int file = opened(path, O_WRONLY);
    need(pwrite(file, buffer, 4096, 0) == 4096, path);
    close(file);
}

static void list_chmod(const char *path) { need(chmod(path, 0600) == 0, path); }

static void list_unlink(const char *path) { need(unlink(path) == 0, path); }

/* The pages of a file that are in memory are added up and printed instead of the time. */
static uint64_t cached_pages;

static void list_cached(const char *path) {
    struct { uint64_t offset, length; } whole = {0, 0};
    struct { uint64_t cached, dirty, writeback, evicted, recently_evicted; } found;
    int file = opened(path, O_RDONLY);
    need(syscall(451 /* cachestat */, file, &whole, &found, 0) == 0, path);
    cached_pages += found.cached;
    close(file);
}

static const struct { const char *name; void (*each)(const char *); } lists[] = {
    {"lstat", list_lstat}, {"read", list_read}, {"write-once", list_write_once},
    {"chmod-list", list_chmod}, {"unlink-list", list_unlink}, {"cached", list_cached},
};

static void for_list(int list, void (*each)(const char *)) {
    struct stat status;
    need(fstat(list, &status) == 0, "list");
    if (status.st_size == 0) return;
    char *start = mmap(0, status.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, list, 0);
    need(start != MAP_FAILED, "list");
    for (char *path = start; path < start + status.st_size; path += strlen(path) + 1) each(path);
}

/* Loops over numbered names in one directory. */

static char name[4096], other[4096];

static void do_create(void) { close(opened(name, O_CREAT | O_EXCL | O_WRONLY)); }
/* As an unpacked or a compiled file comes about. */
static void do_put(void) {
    int file = opened(name, O_CREAT | O_EXCL | O_WRONLY);
    need(write(file, buffer, 100) == 100, name);
    close(file);
}

/* As a package manager replaces a file. */
static void do_renew(void) {
    need(unlink(name) == 0, name);
    do_put();
}

static void do_churn(void) {
    do_create();
    need(unlink(name) == 0, name);
}

static void do_mkdir(void) { need(mkdir(name, 0755) == 0, name); }
static void do_symlink(void) { need(symlink("somewhere", name) == 0, name); }
static void do_link(void) { need(link(other, name) == 0, name); }
static void do_stat(void) { struct stat status; need(stat(name, &status) == 0, name); }
static void do_chmod(void) { need(chmod(name, 0600) == 0, name); }
static void do_rename(void) { need(rename(other, name) == 0, name); }
static void do_unlink(void) { need(unlink(name) == 0, name); }
static void do_rmdir(void) { need(rmdir(name) == 0, name); }
static void do_absent(void) { need(access(name, F_OK) != 0 && errno == ENOENT, name); }

/* What is not measured of a loop. */
static uint64_t pauses;

static void do_absent_rarely(void) {
    uint64_t start = now(), time;
    do time = now(); while (time - start < 1000000);
    pauses += time - start;
    do_absent();
}

/* `first` and `second` are the letters that `name` and `other` begin with. */
static const struct { const char *command; void (*each)(void); char first, second; } numbered[] = {
    {"create", do_create, 'f', 0}, {"put", do_put, 'f', 0}, {"renew", do_renew, 'f', 0}, {"churn", do_churn, 'c', 0},
    {"mkdir", do_mkdir, 'd', 0}, {"symlink", do_symlink, 's', 0},
    {"link", do_link, 'l', 'f'}, {"stat", do_stat, 'f', 0}, {"chmod", do_chmod, 'f', 0},
    {"rename", do_rename, 'r', 'f'}, {"unlink", do_unlink, 'r', 0}, {"rmdir", do_rmdir, 'd', 0},
    {"absent", do_absent, 'a', 0}, {"absent-rarely", do_absent_rarely, 'b', 0},
};

static void for_numbers(const char *directory, long count, void (*each)(void), char first, char second) {
    for (long number = 0; number < count; number++) {
        snprintf(name, sizeof name, "%s/%c%06ld", directory, first, number);
        if (second) snprintf(other, sizeof other, "%s/%c%06ld", directory, second, number);
        each();
    }
}

/* How long the slowest thousandth of `count` churns takes at least. */
static int longer(const void *one, const void *two) {
    uint64_t left = *(const uint64_t *)one, right = *(const uint64_t *)two;
    return (left > right) - (left < right);
}

static uint64_t slowest(const char *directory, long count) {
    uint64_t *times = calloc(count, sizeof *times);
    need(times != NULL, "memory");
    for (long number = 0; number < count; number++) {
        snprintf(name, sizeof name, "%s/c%06ld", directory, number);
        uint64_t start = now();
        do_churn();
        times[number] = now() - start;
    }
    qsort(times, count, sizeof *times, longer);
    uint64_t found = times[count - 1 - count / 1000];
    free(times);
    return found;
}

/* Computes until it is killed. */
static void spin(void) {
    for (volatile uint64_t turn = 0;; turn++) {}
}

/* Data of one file. */

static void file_stream(const char *path, long count) {
    int file = opened(path, O_RDONLY);
    while (read(file, buffer, sizeof buffer) > 0) {}
    close(file);
    (void)count;
}

static uint64_t blocks_of(int file) {
    struct stat status;
    need(fstat(file, &status) == 0, "fstat");
    need(status.st_size >= 4096, "the file is too small");
    return (uint64_t)status.st_size / 4096;
}

static void file_random_read(const char *path, long count) {
    int file = opened(path, O_RDONLY);
    uint64_t blocks = blocks_of(file), state = 88172645463325252u;
    for (long turn = 0; turn < count; turn++)
        need(pread(file, buffer, 4096, step(&state) % blocks * 4096) == 4096, path);
    close(file);
}

static void file_random_write(const char *path, long count) {
    int file = opened(path, O_WRONLY);
    uint64_t blocks = blocks_of(file), state = 88172645463325252u;
    for (long turn = 0; turn < count; turn++)
        need(pwrite(file, buffer, 4096, step(&state) % blocks * 4096) == 4096, path);
    close(file);
}

/* Every page is touched, `count` times over. */
static void file_map(const char *path, long count) {
    int file = opened(path, O_RDONLY);
    uint64_t blocks = blocks_of(file), sum = 0;
    unsigned char *data = mmap(0, blocks * 4096, PROT_READ, MAP_SHARED, file, 0);
    need(data != MAP_FAILED, path);
    while (count-- > 0)
        for (uint64_t block = 0; block < blocks; block++) sum += data[block * 4096];
    __asm__ volatile("" ::"r"(sum));
    munmap(data, blocks * 4096);
    close(file);
}

/* A new file of `count` MiB. */
static void file_write(const char *path, long count) {
    int file = opened(path, O_CREAT | O_TRUNC | O_WRONLY);
    while (count-- > 0) need(write(file, buffer, sizeof buffer) == sizeof buffer, path);
    close(file);
}

/* Lines of a log. */
static void file_append(const char *path, long count) {
    int file = opened(path, O_CREAT | O_APPEND | O_WRONLY);
    while (count-- > 0) need(write(file, buffer, 80) == 80, path);
    close(file);
}

/* Blocks in sequence. */
static void file_write_blocks(const char *path, long count) {
    int file = opened(path, O_CREAT | O_TRUNC | O_WRONLY);
    while (count-- > 0) need(write(file, buffer, 4096) == 4096, path);
    close(file);
}

static const struct { const char *command; void (*act)(const char *, long); } files[] = {
    {"append", file_append}, {"write-blocks", file_write_blocks},
    {"stream", file_stream}, {"random-read", file_random_read}, {"random-write", file_random_write},
    {"map", file_map}, {"write", file_write},
};

#define COUNT(table) (sizeof table / sizeof *table)

int main(int count, char **words) {
    if (count < 4) {
        fprintf(stderr, "usage: client ROOT COMMAND ARGUMENT...\n");
        return 2;
    }
    const char *command = words[2], *argument = words[3];
    long number = count > 4 ? atol(words[4]) : 1;
    int list = open(argument, O_RDONLY | O_CLOEXEC); /* before the change of directory */
    memset(buffer, 'm', sizeof buffer);
    need(chdir(words[1]) == 0, words[1]);

    if (strcmp(command, "spin") == 0) spin();
    if (strcmp(command, "slowest") == 0) {
        printf("%lu\n", slowest(argument, number));
        return 0;
    }
    for (size_t entry = 0; entry < COUNT(lists); entry++) {
        if (strcmp(command, lists[entry].name) != 0) continue;
        need(list >= 0, argument);
        uint64_t start = now();
        for_list(list, lists[entry].each);
        uint64_t took = now() - start;
        printf("%lu\n", lists[entry].each == list_cached ? cached_pages : took);
        return 0;
    }
    for (size_t entry = 0; entry < COUNT(numbered); entry++) {
        if (strcmp(command, numbered[entry].command) != 0) continue;
        uint64_t start = now();
        for_numbers(argument, number, numbered[entry].each, numbered[entry].first, numbered[entry].second);
        printf("%lu\n", now() - start - pauses);
        return 0;
    }
    for (size_t entry = 0; entry < COUNT(files); entry++) {
        if (strcmp(command, files[entry].command) != 0) continue;
        uint64_t start = now();
        files[entry].act(argument, number);
        printf("%lu\n", now() - start);
        return 0;
    }
    fprintf(stderr, "client: no command %s\n", command);
    return 2;
}
