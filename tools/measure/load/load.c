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
size_t period;

static char **words;
static int word_count;
static struct sockaddr_storage to;
static socklen_t to_size;

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

static double cpu_used(void)
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
    FILE *file = fopen(path, "rb");

    pattern = malloc(2 * PATTERN_MOST);
    if (!file || !pattern)
        fail("pattern");
    period = fread(pattern, 1, PATTERN_MOST, file);
    if (period < CHUNK)
        fail("pattern");
    memcpy(pattern + period, pattern, period);
    fclose(file);
}

int is_pattern(const unsigned char *data, size_t size, uint64_t at)
{
    return !memcmp(data, pattern + at % period, size);
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

static void set_target(const char *address, int port)
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

static int stream(int flags)
{
    int fd = socket(to.ss_family, SOCK_STREAM | flags, 0), one = 1;

    if (fd < 0)
        fail("socket");
    set_congestion(fd, argument("cc", "reno"));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

static int connected(void)
{
    int fd = stream(0);

    if (connect(fd, (void *)&to, to_size))
        fail("connect");
    return fd;
}

static int datagrams(void)
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

static void print_times(double *times, size_t count, double took)
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

/* Bulk TCP. */

struct lane {
    int fd, done;
    uint64_t count;
    uint32_t crc;
};

static struct lane *lanes;
static int lane_count, lane_set;
static unsigned wrong;

static void open_lanes(uint32_t events)
{
    lane_count = (int)number("connections", 1);
    lanes = calloc(lane_count, sizeof *lanes);
    lane_set = epoll_create1(0);
    for (int i = 0; i < lane_count; i++) {
        struct epoll_event event = {.events = events, .data.u32 = i};

        lanes[i].fd = connected();
        fcntl(lanes[i].fd, F_SETFL, O_NONBLOCK);
        epoll_ctl(lane_set, EPOLL_CTL_ADD, lanes[i].fd, &event);
    }
}

static unsigned resent(void)
{
    unsigned total = 0;

    for (int i = 0; i < lane_count; i++) {
        struct tcp_info info = {0};
        socklen_t size = sizeof info;

        getsockopt(lanes[i].fd, IPPROTO_TCP, TCP_INFO, &info, &size);
        total += info.tcpi_total_retrans;
    }
    return total;
}

static void print_bulk(double start, uint64_t count, const char *cc)
{
    double took = seconds_now() - start;
    uint32_t crc = lane_count ? lanes[0].crc : 0;

    printf("{\"octets\": %llu, \"seconds\": %.9f, \"cpu\": %.6f, \"wrong\": %u, \"resent\": %u, "
           "\"digest\": \"%08x\", \"congestion\": \"%s\"}\n",
           (unsigned long long)count, took, cpu_used(), wrong, resent(), crc, cc);
}

static void congestion_of(int fd, char *name, socklen_t size)
{
    memset(name, 0, size);
    getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &size);
}

/* Compares the service's digest with ours. */
static void check_digest(struct lane *lane, const unsigned char *answer, ssize_t size)
{
    char expected[DIGEST + 1];

    snprintf(expected, sizeof expected, "%08x%016llx", lane->crc, (unsigned long long)lane->count);
    wrong += size != DIGEST || memcmp(answer, expected, DIGEST);
}

/* Sends until `until`, or so many octets on each connection, then FIN; ends with the peers' FIN. */
static int verb_in(void)
{
    double limit = number("octets", 0), start, until;
    unsigned char answer[DIGEST + 1];
    struct epoll_event events[64];
    uint64_t total = 0;
    char cc[16];
    int left;

    open_lanes(EPOLLOUT);
    congestion_of(lanes[0].fd, cc, sizeof cc);
    left = lane_count;
    start = seconds_now();
    until = start + number("seconds", 1);
    while (left) {
        int ready = epoll_wait(lane_set, events, 64, 5000);

        if (ready <= 0) {
            errno = ETIMEDOUT;
            fail("in");
        }
        for (int i = 0; i < ready; i++) {
            struct lane *lane = &lanes[events[i].data.u32];
            struct epoll_event last = {.events = EPOLLIN, .data.u32 = events[i].data.u32};
            size_t size = CHUNK;
            ssize_t sent;

            if (lane->done) {
                ssize_t got = recv(lane->fd, answer, sizeof answer, 0);

                if (got > 0 && limit)
                    check_digest(lane, answer, got);
                else if (got == 0 || errno != EAGAIN) {
                    epoll_ctl(lane_set, EPOLL_CTL_DEL, lane->fd, NULL);
                    wrong += got != 0;
                    left--;
                }
                continue;
            }
            if (limit && limit - lane->count < size)
                size = limit - lane->count;
            if (size) {
                const unsigned char *from = pattern + lane->count % period;

                sent = send(lane->fd, from, size, MSG_NOSIGNAL);
                if (sent < 0 && errno != EAGAIN)
                    fail("send");
                if (sent > 0) {
                    if (limit)
                        lane->crc = crc32_more(lane->crc, from, sent);
                    lane->count += sent;
                    total += sent;
                }
            }
            if (limit ? lane->count >= limit : seconds_now() >= until) {
                lane->done = 1;
                shutdown(lane->fd, SHUT_WR);
                epoll_ctl(lane_set, EPOLL_CTL_MOD, lane->fd, &last);
            }
        }
    }
    print_bulk(start, total, cc);
    return wrong != 0;
}

/* Is this the pattern?  All of it in a verifying run, both ends of every piece in others. */
static void check_piece(struct lane *lane, const unsigned char *data, size_t size, int all)
{
    size_t edge = size < 64 ? size : 64;

    if (all) {
        wrong += !is_pattern(data, size, lane->count);
        lane->crc = crc32_more(lane->crc, data, size);
    } else {
        wrong += !is_pattern(data, edge, lane->count);
        wrong += !is_pattern(data + size - edge, edge, lane->count + size - edge);
    }
}

/* Receives from the pattern's source, counted from `settle` on. */
static int verb_out(void)
{
    static unsigned char data[CHUNK];
    double limit = number("octets", 0), seconds = number("seconds", 1), start, from;
    struct epoll_event events[64];
    struct linger reset = {1, 0};
    uint64_t total = 0, least;
    int counting = 0;

    open_lanes(EPOLLIN);
    start = from = seconds_now();
    from += number("settle", 0);
    do {
        int ready = epoll_wait(lane_set, events, 64, 5000);

        if (ready <= 0) {
            errno = ETIMEDOUT;
            fail("out");
        }
        if (!counting && seconds_now() >= from) {
            counting = 1;
            start = seconds_now();
            total = 0;
        }
        for (int i = 0; i < ready; i++) {
            struct lane *lane = &lanes[events[i].data.u32];
            size_t room = limit && limit - lane->count < CHUNK ? limit - lane->count : CHUNK;
            ssize_t size = room ? recv(lane->fd, data, room, 0) : 0;

            if (!room)
                continue;
            if (size <= 0 && !(size < 0 && errno == EAGAIN))
                fail("the source ended");
            if (size > 0) {
                check_piece(lane, data, size, limit != 0);
                lane->count += size;
                total += size;
            }
        }
        least = lanes[0].count;
        for (int i = 1; i < lane_count; i++)
            least = lanes[i].count < least ? lanes[i].count : least;
    } while (limit ? least < limit : seconds_now() < start + seconds || !counting);
    print_bulk(start, total, "");
    for (int i = 0; i < lane_count; i++)
        setsockopt(lanes[i].fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    return wrong != 0;
}

/* One request in flight. */

static int verb_round_trips(void)
{
    int udp = !strcmp(argument("proto", "tcp"), "udp");
    int size = (int)number("size", MESSAGE), fd = udp ? datagrams() : connected();
    double seconds = number("seconds", 1), start = seconds_now(), before = start, now;
    size_t count = 0, most = 4000000;
    double *times = malloc(most * sizeof *times);
    unsigned char answer[LARGEST];
    struct timeval patience = {1, 0};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    do {
        if (send(fd, pattern + count % period, size, 0) != size)
            fail("send");
        for (int got = 0; got < size;) {
            ssize_t more = recv(fd, answer + got, size - got, 0);

            if (more <= 0)
                fail("no answer");
            got += more;
        }
        if (memcmp(answer, pattern + count % period, size))
            wrong++;
        now = seconds_now();
        times[count++] = now - before;
        before = now;
    } while (now < start + seconds && count < most);
    print_times(times, count, now - start);
    return wrong != 0;
}

/* ICMP echo. */

static uint16_t internet_checksum(const unsigned char *data, int size)
{
    uint32_t sum = 0;

    for (int i = 0; i < size; i += 2)
        sum += data[i] << 8 | data[i + 1];
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return htons((uint16_t)~sum);
}

/* Seconds to the reply, or less than zero. */
static double ping(int fd, int v6, uint16_t sequence, double patience)
{
    unsigned char request[64] = {v6 ? 128 : 8}, reply[2048];
    uint16_t ident = htons(getpid() & 0xFFFF), order = htons(sequence), sum;
    double start, left;

    memcpy(request + 4, &ident, 2);
    memcpy(request + 6, &order, 2);
    memcpy(request + 8, pattern, 56);
    sum = internet_checksum(request, 64);
    if (!v6)
        memcpy(request + 2, &sum, 2);
    start = seconds_now();
    if (send(fd, request, sizeof request, 0) < 0)
        return -1;
    while ((left = start + patience - seconds_now()) > 0) {
        struct pollfd wait = {fd, POLLIN, 0};
        struct timespec time = {(time_t)left, (long)((left - (time_t)left) * 1e9)};
        unsigned char *icmp = reply;
        ssize_t size;

        if (ppoll(&wait, 1, &time, NULL) <= 0)
            break;
        size = recv(fd, reply, sizeof reply, 0);
        if (!v6)
            icmp += (reply[0] & 15) * 4;
        if (size > 0 && icmp[0] == (v6 ? 129 : 0) && !memcmp(icmp + 4, request + 4, 60))
            return seconds_now() - start;
    }
    return -1;
}

static int ping_socket(int v6)
{
    int fd = socket(to.ss_family, SOCK_RAW, v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
    struct sockaddr_storage bare = to;

    if (v6)
        ((struct sockaddr_in6 *)&bare)->sin6_port = 0;
    if (fd < 0 || connect(fd, (void *)&bare, to_size))
        fail("ping");
    return fd;
}

static int verb_ping(void)
{
    int v6 = to.ss_family == AF_INET6, fd = ping_socket(v6);
    double seconds = number("seconds", 1), gap = number("gap", 0.002);
    double start = seconds_now();
    size_t count = 0, most = 1000000;
    double *times = malloc(most * sizeof *times);

    for (unsigned turn = 0; seconds_now() < start + seconds && count < most; turn++) {
        double took = ping(fd, v6, (uint16_t)turn, 1);

        if (took < 0)
            wrong++;
        else
            times[count++] = took;
        if (gap > 0)
            usleep((useconds_t)(gap * 1e6));
    }
    print_times(times, count, seconds_now() - start);
    return wrong != 0;
}

/* Every half millisecond until one is answered. */
static int verb_first(void)
{
    int v6 = to.ss_family == AF_INET6, fd = ping_socket(v6);
    double start = seconds_now(), patience = number("seconds", 10);

    for (unsigned turn = 0; seconds_now() < start + patience; turn++)
        if (ping(fd, v6, (uint16_t)turn, 0.0005) >= 0) {
            printf("{\"seconds\": %.9f}\n", seconds_now() - start);
            return 0;
        }
    errno = ETIMEDOUT;
    fail("first");
    return 1;
}

/* Datagrams.  With segments=N each send is a super-frame of N (UDP_SEGMENT), and what comes back
 * may be one too (UDP_GRO). */

static unsigned char outgoing[LARGEST], incoming[BATCH][LARGEST];

static int segment_size(struct msghdr *head, int otherwise)
{
    for (struct cmsghdr *item = CMSG_FIRSTHDR(head); item; item = CMSG_NXTHDR(head, item))
        if (item->cmsg_level == IPPROTO_UDP && item->cmsg_type == UDP_GRO)
            return *(int *)CMSG_DATA(item);
    return otherwise;
}

/* Datagrams of `size` that have arrived, at once; those that are not the pattern are wrong. */
static int take_datagrams(int fd, int size)
{
    static struct mmsghdr heads[BATCH];
    static struct iovec parts[BATCH];
    static char control[BATCH][64];
    int total = 0, count;

    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){incoming[i], LARGEST};
        heads[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i],
                                           .msg_iovlen = 1,
                                           .msg_control = control[i],
                                           .msg_controllen = sizeof control[i]};
    }
    count = recvmmsg(fd, heads, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        int whole = heads[i].msg_len, each = segment_size(&heads[i].msg_hdr, whole);

        wrong += each != size || whole % size;
        for (int at = 0; at + size <= whole; at += size)
            wrong += memcmp(incoming[i] + at, pattern, size) != 0;
        total += whole / size;
    }
    return total;
}

/* How many of `count` datagrams of `size` could be sent at once. */
static int give_datagrams(int fd, int size, int count, int segments)
{
    static struct mmsghdr heads[BATCH];
    static struct iovec parts[BATCH];
    int messages = count / segments, done;

    if (messages > BATCH)
        messages = BATCH;
    for (int i = 0; i < messages; i++) {
        parts[i] = (struct iovec){outgoing, (size_t)size * segments};
        heads[i].msg_hdr = (struct msghdr){.msg_iov = &parts[i], .msg_iovlen = 1};
    }
    done = messages ? sendmmsg(fd, heads, messages, 0) : 0;
    if (done < 0 && errno != EAGAIN && errno != ENOBUFS)
        fail("sendmmsg");
    return done > 0 ? done * segments : 0;
}

static int loaded_datagrams(int size, int segments)
{
    int fd = datagrams(), one = 1;

    for (int i = 0; i < segments && (i + 1) * size <= LARGEST; i++)
        memcpy(outgoing + i * size, pattern, size);
    if (segments > 1 && setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof size))
        fail("UDP_SEGMENT");
    if (number("gro", segments > 1))
        setsockopt(fd, IPPROTO_UDP, UDP_GRO, &one, sizeof one);
    return fd;
}

/* Keeps `window` in flight; a lost one is replaced after a tenth of a second without any. */
static int verb_echo(void)
{
    int size = (int)number("size", 64), segments = (int)number("segments", 1);
    int window = (int)number("window", 64) * segments, fd = loaded_datagrams(size, segments);
    double seconds = number("seconds", 1), start = seconds_now(), now;
    uint64_t count = 0, lost = 0;
    int flying = 0;

    do {
        struct pollfd wait = {fd, POLLIN, 0};
        int came;

        flying += give_datagrams(fd, size, window - flying, segments);
        came = take_datagrams(fd, size);
        if (!came && !poll(&wait, 1, 100)) {
            lost += flying;
            flying = 0;
        }
        count += came;
        flying -= came < flying ? came : flying;
        now = seconds_now();
    } while (now < start + seconds);
    printf("{\"count\": %llu, \"seconds\": %.9f, \"cpu\": %.6f, \"lost\": %llu, \"wrong\": %u}\n",
           (unsigned long long)count, now - start, cpu_used(), (unsigned long long)lost, wrong);
    return wrong != 0;
}

/* How many datagrams the subject's sink has seen. */
static uint64_t arrived(int fd)
{
    uint64_t count;

    for (int turn = 0; turn < 50; turn++) {
        struct pollfd wait = {fd, POLLIN, 0};

        if (send(fd, "?", 1, 0) == 1 && poll(&wait, 1, 100) > 0 &&
            recv(fd, &count, sizeof count, 0) == sizeof count)
            return count;
    }
    errno = ETIMEDOUT;
    fail("the sink does not say how many came");
    return 0;
}

/* Floods; counted is what the subject says has arrived, which takes until the queue is empty. */
static int verb_sink(void)
{
    int size = (int)number("size", 64), segments = (int)number("segments", 1);
    int fd = loaded_datagrams(size, segments), asked;
    double seconds = number("seconds", 1), start, now;
    uint64_t sent = 0, before, after;

    set_target(argument("address", ""), CHECKED);
    asked = datagrams();
    before = arrived(asked);
    start = seconds_now();
    do {
        sent += give_datagrams(fd, size, BATCH * segments, segments);
        now = seconds_now();
    } while (now < start + seconds);
    after = arrived(asked);
    now = seconds_now();
    printf("{\"count\": %llu, \"sent\": %llu, \"seconds\": %.9f, \"cpu\": %.6f}\n",
           (unsigned long long)(after - before), (unsigned long long)sent, now - start, cpu_used());
    return 0;
}

/* Asks for bursts, two of them under way. */
static int verb_burst(void)
{
    int size = (int)number("size", 64), burst = (int)number("burst", 64), fd;
    double seconds = number("seconds", 1), start, now;
    uint16_t wish[2] = {htons(burst), htons(size)};
    uint64_t count = 0, lost = 0;
    int expected = 0;

    fd = loaded_datagrams(size, 1);
    start = seconds_now();
    do {
        struct pollfd wait = {fd, POLLIN, 0};
        int came = 0;

        while (expected <= burst) {
            if (send(fd, wish, sizeof wish, 0) < 0)
                fail("send");
            expected += burst;
        }
        came = take_datagrams(fd, size);
        if (!came && !poll(&wait, 1, 100)) {
            lost += expected;
            expected = 0;
        }
        count += came;
        expected -= came < expected ? came : expected;
        now = seconds_now();
    } while (now < start + seconds);
    printf("{\"count\": %llu, \"seconds\": %.9f, \"cpu\": %.6f, \"lost\": %llu, \"wrong\": %u}\n",
           (unsigned long long)count, now - start, cpu_used(), (unsigned long long)lost, wrong);
    return wrong != 0;
}

/* Connections: connect, request, response, the subject's FIN, ours. */

struct call {
    int fd, sent, got;
};

static void begin_call(int set, struct call *call, int index)
{
    struct epoll_event event = {.events = EPOLLOUT, .data.u32 = index};

    *call = (struct call){.fd = stream(SOCK_NONBLOCK)};
    if (connect(call->fd, (void *)&to, to_size) && errno != EINPROGRESS)
        fail("connect");
    epoll_ctl(set, EPOLL_CTL_ADD, call->fd, &event);
}

/* 1 when it is over, -1 when it went wrong. */
static int further(int set, struct call *call, int index)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    unsigned char answer[MESSAGE + 1];
    ssize_t size;

    if (!call->sent) {
        if (send(call->fd, pattern, MESSAGE, MSG_NOSIGNAL) != MESSAGE)
            return -1;
        call->sent = 1;
        epoll_ctl(set, EPOLL_CTL_MOD, call->fd, &event);
        return 0;
    }
    size = recv(call->fd, answer, sizeof answer, 0);
    if (size > 0) {
        wrong += memcmp(answer, pattern + call->got, size) != 0;
        call->got += size;
        size = recv(call->fd, answer, sizeof answer, 0);
    }
    if (size < 0)
        return errno == EAGAIN ? 0 : -1;
    return size ? 0 : call->got == MESSAGE ? 1 : -1;
}

static int verb_connect(void)
{
    int together = (int)number("together", 1), set = epoll_create1(0);
    struct call *calls = calloc(together, sizeof *calls);
    double seconds = number("seconds", 1), start = seconds_now(), now = start;
    struct epoll_event events[64];
    uint64_t count = 0, failed = 0;

    for (int i = 0; i < together; i++)
        begin_call(set, &calls[i], i);
    while (now < start + seconds) {
        int ready = epoll_wait(set, events, 64, 1000);

        for (int i = 0; i < ready; i++) {
            int index = events[i].data.u32, state = further(set, &calls[index], index);

            if (!state)
                continue;
            count += state > 0;
            failed += state < 0;
            close(calls[index].fd);
            begin_call(set, &calls[index], index);
        }
        now = seconds_now();
    }
    printf("{\"count\": %llu, \"seconds\": %.9f, \"cpu\": %.6f, \"failed\": %llu, \"wrong\": %u}\n",
           (unsigned long long)count, now - start, cpu_used(), (unsigned long long)failed, wrong);
    return wrong != 0;
}

/* Holds idle connections until standard input ends. */
static int verb_hold(void)
{
    int count = (int)number("connections", 1000);
    char end;

    for (int i = 0; i < count; i++)
        connected();
    printf("{\"held\": %d}\n", count);
    fflush(stdout);
    while (read(0, &end, 1) > 0)
        ;
    return 0;
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
