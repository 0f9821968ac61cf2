/*
 * An upstream that costs next to nothing.  One thread, epoll, loopback only.
 *
 *     cc -O2 -o sink sink.c && ./sink PORT
 *
 * It reads requests of any size, in either framing, and answers each with the bytes of body that it got, so that a
 * client can see that nothing was lost:
 *
 *     {"text": "ok", "bytes": 16789               }
 *
 * A request whose target holds "keep" is answered with its own body, up to KEEP_MAX.  One whose target holds
 * "/events?count=N" is answered with N server-sent events, one each EVERY_NS; an event is the time of its sending, in
 * nanoseconds of CLOCK_MONOTONIC.  There is one such stream at a time.  The body of one whose target holds "?pause" is
 * never read.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define HEAD_MAX 16384
#define READ_MAX (1 << 18)
#define KEEP_MAX (1 << 20)
#define EVERY_NS 4000000

enum state { HEAD, COUNTED, CHUNK_SIZE, CHUNK, CHUNK_END, TRAILER };

/* What is known of one connection. */
struct peer {
    int fd;
    enum state state;
    size_t held;         /* bytes of an incomplete head in `head` */
    long long left;      /* bytes still to come of the body, or of the chunk */
    long long got;       /* bytes that came of the body */
    int in_extension;    /* whether the chunk's size is over, but its line is not */
    size_t line;         /* bytes of the trailer's line so far */
    int events;          /* events asked for */
    char *kept;          /* the body itself, where it was asked for */
    char head[HEAD_MAX];
};

static char scratch[READ_MAX];
static int timer, epoll;
static struct peer *stream; /* who is sent events, and how many are still to come */
static int stream_left;

static void set_timer(long every_ns) {
    struct itimerspec when = {.it_interval.tv_nsec = every_ns, .it_value.tv_nsec = every_ns};
    timerfd_settime(timer, 0, &when, NULL);
}

static void drop(struct peer *peer) {
    if (peer == stream) {
        stream = NULL;
        set_timer(0);
    }
    close(peer->fd);
    free(peer->kept);
    free(peer);
}

/* Send everything, waiting where the socket is full; return whether it went. */
static int send_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t sent = send(fd, data, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            struct pollfd full = {.fd = fd, .events = POLLOUT};
            poll(&full, 1, 5000);
        } else if (sent < 0 && errno != EINTR) {
            return 0;
        } else if (sent > 0) {
            data += sent, size -= (size_t)sent;
        }
    }
    return 1;
}

static int start_events(struct peer *peer) {
    static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n"
                               "Transfer-Encoding: chunked\r\n\r\n";
    if (stream)
        return 0;
    stream = peer, stream_left = peer->events;
    set_timer(EVERY_NS);
    return send_all(peer->fd, head, sizeof head - 1);
}

static void send_event(void) {
    char event[64], chunk[96];
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int size = snprintf(event, sizeof event, "data: %lld\n\n", now.tv_sec * 1000000000LL + now.tv_nsec);
    stream_left--;
    size = snprintf(chunk, sizeof chunk, "%x\r\n%s\r\n%s", size, event, stream_left ? "" : "0\r\n\r\n");
    int went = send_all(stream->fd, chunk, (size_t)size);
    if (!went) {
        drop(stream);
    } else if (!stream_left) {
        stream = NULL;
        set_timer(0);
    }
}

static int answer(struct peer *peer) {
    char text[256];
    int size;
    peer->state = HEAD;
    if (peer->events)
        return start_events(peer);
    if (peer->kept) {
        size = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %lld\r\n\r\n", peer->got);
        int went = send_all(peer->fd, text, (size_t)size) && send_all(peer->fd, peer->kept, (size_t)peer->got);
        free(peer->kept);
        peer->kept = NULL;
        return went;
    }
    size = snprintf(text, sizeof text,
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 46\r\n\r\n"
                    "{\"text\": \"ok\", \"bytes\": %-20lld}\n", peer->got);
    return send_all(peer->fd, text, (size_t)size);
}

/* A head is complete; return 0 when the connection is of no more use. */
static int begin(struct peer *peer) {
    char *field = strcasestr(peer->head, "\r\ncontent-length:"), *line = strstr(peer->head, "\r\n");
    int is_chunked = strcasestr(peer->head, "\r\ntransfer-encoding: chunked") != NULL;
    peer->left = field ? atoll(field + 17) : 0;
    peer->got = peer->in_extension = peer->events = 0;
    if (line)
        *line = 0; /* only the request line from here on */
    char *events = strstr(peer->head, "/events?count=");
    if (events)
        peer->events = atoi(events + 14);
    if (strstr(peer->head, "keep"))
        peer->kept = malloc(KEEP_MAX);
    if (strstr(peer->head, "?pause")) {
        struct epoll_event only_errors = {.data.ptr = peer};
        epoll_ctl(epoll, EPOLL_CTL_MOD, peer->fd, &only_errors);
    }
    peer->state = is_chunked ? CHUNK_SIZE : COUNTED;
    if (is_chunked)
        peer->left = 0;
    return is_chunked || peer->left > 0 || answer(peer);
}

/* Count bytes of body, and keep them where they were asked for; return how many of `size` belong to it. */
static size_t body(struct peer *peer, const char *data, size_t size) {
    size_t used = (long long)size < peer->left ? size : (size_t)peer->left;
    if (peer->kept && peer->got + (long long)used <= KEEP_MAX)
        memcpy(peer->kept + peer->got, data, used);
    else if (peer->kept)
        used = 0, peer->left = 0, peer->got = 0; /* too long to keep: the empty answer will tell */
    peer->got += (long long)used, peer->left -= (long long)used;
    return used;
}

static int digit(char byte) {
    return byte >= '0' && byte <= '9' ? byte - '0' : (byte | 32) >= 'a' && (byte | 32) <= 'f' ? (byte | 32) - 'a' + 10 : -1;
}

/* Take one byte of the framing of chunks; return 0 when the connection is of no more use. */
static int framing(struct peer *peer, char byte) {
    if (peer->state == CHUNK_END) {
        if (byte == '\n')
            peer->state = CHUNK_SIZE;
    } else if (peer->state == CHUNK_SIZE) {
        if (byte == '\n')
            peer->state = peer->left ? CHUNK : TRAILER, peer->in_extension = 0, peer->line = 0;
        else if (digit(byte) < 0)
            peer->in_extension = 1;
        else if (!peer->in_extension)
            peer->left = peer->left * 16 + digit(byte);
    } else if (byte == '\n') {
        if (peer->line == 0)
            return answer(peer);
        peer->line = 0;
    } else if (byte != '\r') {
        peer->line++;
    }
    return 1;
}

/* Take whatever has come; return 0 when the connection is of no more use. */
static int take(struct peer *peer, const char *data, size_t size) {
    while (size > 0) {
        size_t used = 1;
        if (peer->state == HEAD) {
            size_t room = HEAD_MAX - 1 - peer->held, more = size < room ? size : room;
            memcpy(peer->head + peer->held, data, more);
            size_t known = peer->held + more;
            peer->head[known] = 0;
            char *end = strstr(peer->head, "\r\n\r\n");
            if (!end) {
                peer->held = known;
                return known < HEAD_MAX - 1;
            }
            *end = 0;
            used = (size_t)(end + 4 - peer->head) - peer->held;
            peer->held = 0;
            if (!begin(peer))
                return 0;
        } else if (peer->state == COUNTED) {
            used = body(peer, data, size);
            if (peer->left == 0 && !answer(peer))
                return 0;
        } else if (peer->state == CHUNK) {
            used = body(peer, data, size);
            if (peer->left == 0)
                peer->state = CHUNK_END;
        } else if (!framing(peer, *data)) {
            return 0;
        }
        data += used, size -= used;
    }
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(argv[1]))};
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) || listen(listener, 4096)) {
        perror("sink");
        return 1;
    }
    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &timer;
    epoll_ctl(epoll, EPOLL_CTL_ADD, timer, &event);
    for (;;) {
        /* Tick and take apart: an event may drop a peer that the same round would still name. */
        int count = epoll_wait(epoll, events, 256, -1), ticked = 0;
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (!peer) {
                int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (fd < 0)
                    continue;
                setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                peer = calloc(1, sizeof *peer);
                peer->fd = fd;
                event.events = EPOLLIN;
                event.data.ptr = peer;
                epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
                continue;
            }
            if ((void *)peer == (void *)&timer) {
                unsigned long long ticks;
                ticked = read(timer, &ticks, sizeof ticks) > 0;
                continue;
            }
            ssize_t size = recv(peer->fd, scratch, sizeof scratch, 0);
            if (size < 0 && (errno == EAGAIN || errno == EINTR))
                continue;
            if (size <= 0 || !take(peer, scratch, (size_t)size))
                drop(peer);
        }
        if (ticked && stream)
            send_event();
    }
}
