/* SPDX-License-Identifier: MIT */
/*
 * The load generator of tools/bench: C, so that it is not what limits a figure.
 *
 *     load PID VERB [name=value ...]
 *
 * enters the user and network namespaces of PID, does what VERB says to the services at address=,
 * and prints one JSON object.  Times are seconds.  `cpu` is what it used itself: a figure during
 * which that is near `seconds` says how fast the generator is.
 */

#include "common.h"

unsigned char *pattern;
size_t period, whole;

static char **words;
static int word_count;
struct sockaddr_storage to;
socklen_t to_size;
unsigned wrong;

/* Small things. */

void fail(const char *what)
{
    printf("{\"error\": \"%s: %s\"}\n", what, strerror(errno));
    exit(1);
}

double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

/* Until the time is up; longer where a busy machine has let nothing happen so far. */
int going_on(double start, double seconds, uint64_t count)
{
    double took = seconds_now() - start;

    return took < seconds || (!count && took < 5);
}

double cpu_used(void)
{
    struct timespec used;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return used.tv_sec + used.tv_nsec * 1e-9;
}

const char *argument(const char *name, const char *otherwise)
{
    size_t size = strlen(name);

    for (int i = 0; i < word_count; i++)
        if (!strncmp(words[i], name, size) && words[i][size] == '=')
            return words[i] + size + 1;
    return otherwise;
}

double number(const char *name, double otherwise)
{
    const char *text = argument(name, NULL);

    return text ? atof(text) : otherwise;
}

void read_pattern(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat about;

    if (fd < 0 || fstat(fd, &about) || about.st_size < (off_t)HOT_PERIOD)
        fail("pattern");
    whole = about.st_size;
    pattern = mmap(NULL, whole, PROT_READ, MAP_PRIVATE, fd, 0);
    if (pattern == MAP_FAILED)
        fail("pattern");
    period = number("cold", 0) ? whole : HOT_PERIOD;
    close(fd);
}

/* The octets at a place of a stream that repeats `length` of the pattern; how many in one piece. */
size_t piece(uint64_t at, size_t most, size_t length, const unsigned char **from)
{
    size_t start = at % length;

    *from = pattern + start;
    return most < length - start ? most : length - start;
}

int is_pattern(const unsigned char *data, size_t size, uint64_t at)
{
    while (size) {
        const unsigned char *expected;
        size_t more = piece(at, size, period, &expected);

        if (memcmp(data, expected, more))
            return 0;
        data += more;
        at += more;
        size -= more;
    }
    return 1;
}

uint32_t crc32_more(uint32_t crc, const unsigned char *data, size_t size)
{
    static uint32_t table[256];

    if (!table[1])
        for (uint32_t i = 0; i < 256; i++) {
            uint32_t value = i;

            for (int bit = 0; bit < 8; bit++)
                value = value & 1 ? value >> 1 ^ 0xEDB88320 : value >> 1;
            table[i] = value;
        }
    crc = ~crc;
    for (size_t i = 0; i < size; i++)
        crc = table[(crc ^ data[i]) & 255] ^ crc >> 8;
    return ~crc;
}

void set_congestion(int fd, const char *name)
{
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, strlen(name)))
        fail(name);
}

static void enter(int pid)
{
    static const char *const kinds[] = {"user", "net"};

    for (int i = 0; pid && i < 2; i++) {
        char path[64], theirs[64] = "", ours[64] = "";
        int fd;

        snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
        if (readlink(path, ours, sizeof ours - 1) < 0)
            fail(path);
        snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kinds[i]);
        if (readlink(path, theirs, sizeof theirs - 1) < 0)
            fail(path);
        if (!strcmp(ours, theirs))
            continue;
        if ((fd = open(path, O_RDONLY | O_CLOEXEC)) < 0 || setns(fd, 0))
            fail(path);
        close(fd);
    }
}

void set_target(const char *address, int port)
{
    struct sockaddr_in *v4 = (void *)&to;
    struct sockaddr_in6 *v6 = (void *)&to;

    memset(&to, 0, sizeof to);
    if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        to_size = sizeof *v6;
    } else if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        to_size = sizeof *v4;
    } else {
        errno = EINVAL;
        fail("address");
    }
}

int stream(int flags)
{
    int fd = socket(to.ss_family, SOCK_STREAM | flags, 0), one = 1;

    if (fd < 0)
        fail("socket");
    set_congestion(fd, argument("cc", "reno"));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

int connected(void)
{
    int fd = stream(0);

    if (connect(fd, (void *)&to, to_size))
        fail("connect");
    return fd;
}

int datagrams(void)
{
    int size = 4 << 20, fd = socket(to.ss_family, SOCK_DGRAM, 0);

    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
    if (fd < 0 || connect(fd, (void *)&to, to_size))
        fail("datagrams");
    return fd;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void print_times(double *times, size_t count, double took)
{
    if (!count) {
        errno = ETIMEDOUT;
        fail("no answer");
    }
    qsort(times, count, sizeof *times, by_value);
    printf("{\"count\": %zu, \"seconds\": %.9f, \"cpu\": %.6f, \"min\": %.9f, \"p50\": %.9f, "
           "\"p99\": %.9f}\n",
           count, took, cpu_used(), times[0], times[count / 2], times[count * 99 / 100]);
}

static const struct verb {
    const char *name;
    int port;
    int (*run)(void);
} verbs[] = {
    {"in", DISCARD, verb_in},       {"out", SOURCE, verb_out},
    {"trips", ECHO, verb_round_trips}, {"ping", 0, verb_ping},
    {"first", 0, verb_first},       {"echo", ECHO, verb_echo},
    {"sink", DISCARD, verb_sink},   {"burst", SOURCE, verb_burst},
    {"connect", RESPOND, verb_connect}, {"hold", DISCARD, verb_hold},
};

int main(int count, char **arguments)
{
    struct rlimit files;

    if (count < 3) {
        fprintf(stderr, "load PID VERB [name=value ...]\n");
        return 2;
    }
    words = arguments + 3;
    word_count = count - 3;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    enter(atoi(arguments[1]));
    read_pattern(argument("pattern", "pattern"));
    if (!strcmp(arguments[2], "serve"))
        return serve();
    for (unsigned i = 0; i < sizeof verbs / sizeof *verbs; i++)
        if (!strcmp(arguments[2], verbs[i].name)) {
            set_target(argument("address", ""), (int)number("port", verbs[i].port));
            return verbs[i].run();
        }
    errno = EINVAL;
    fail(arguments[2]);
    return 2;
}
