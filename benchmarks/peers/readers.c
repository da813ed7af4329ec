/* Live readers as a load: K connections that ask for one path and count what they are told.
 *
 * readers PORT PATH K FILE
 *
 * Says "ready" when every connection has the head of its answer. Then, whenever all of them have
 * one more event: "EVENTS VERSION", VERSION being what the first one's last id begins with. When
 * standard input ends it writes FILE: for each event, of each connection that has it, when it came
 * (nanoseconds of the monotonic clock, 8 bytes each, K an event, 0 where one has not), and ends.
 *
 * An event is a line that begins with "dat", as no chunk's size does. Buffers are looked through once, with memchr. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 4096, BUFFER = 1 << 18, BATCH = 512 };

struct reader {
    int fd, headed, events, matched;
};

static struct reader *readers;
static int count, *reached; /* how many have event n */
static int64_t *when[MAX_EVENTS];
static long version;

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void connect_one(struct reader *reader, int port, const char *path, int poll) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    char request[512];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: text/event-stream\r\n\r\n", path);
    inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
    reader->fd = socket(AF_INET, SOCK_STREAM, 0);
    reader->matched = 1;
    if (reader->fd < 0 || connect(reader->fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    if (write(reader->fd, request, size) != size) fail("request");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = reader};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, reader->fd, &event)) fail("epoll_ctl");
}

static void told(struct reader *reader, int64_t time) {
    int number = reader->events++;
    if (number >= MAX_EVENTS) return;
    if (!when[number]) when[number] = calloc(count, sizeof *when[number]);
    when[number][reader - readers] = time;
    if (++reached[number] == count) {
        printf("%d %ld\n", number + 1, version);
        fflush(stdout);
    }
}

static const char mark[] = "\ndat";

static void look(struct reader *reader, const char *data, ssize_t size, int64_t time) {
    const char *at = data, *end = data + size;
    int matched = reader->matched; /* what came before may end within a mark */
    for (;;) {
        while (matched && at < end) {
            if (*at != mark[matched]) matched = 0;
            else if (at++, ++matched == 4) matched = 0, told(reader, time);
        }
        if (matched || !(at = memchr(at, '\n', end - at))) break;
        matched = 1;
        if (++at < end - 4 && reader == readers && *at == 'i') version = atol(at + 4);
    }
    reader->matched = matched;
}

static int take(struct reader *reader) { /* returns whether it has its head only now */
    static char buffer[BUFFER];
    ssize_t size = read(reader->fd, buffer, sizeof buffer - 1);
    if (size <= 0) {
        fprintf(stderr, "reader %ld of %d was cut off\n", (long)(reader - readers), count);
        exit(1);
    }
    int64_t time = now();
    if (reader->headed) {
        look(reader, buffer, size, time);
        return 0;
    }
    buffer[size] = 0;
    if (strncmp(buffer, "HTTP/1.1 200", 12)) {
        fprintf(stderr, "refused: %.60s\n", buffer);
        exit(1);
    }
    char *body = strstr(buffer, "\r\n\r\n");
    if (!body) fail("a head in parts");
    body += 4;
    reader->headed = 1;
    if (body < buffer + size) look(reader, body, buffer + size - body, time);
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 5) return 2;
    int poll = epoll_create1(0), port = atoi(argv[1]), headed = 0;
    count = atoi(argv[3]);
    readers = calloc(count, sizeof *readers);
    reached = calloc(MAX_EVENTS, sizeof *reached);
    struct epoll_event events[BATCH], stop = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &stop);
    int opened = 0;
    for (;;) {
        /* A few at a time, so that no server's queue of new connections overflows. */
        while (opened < count && opened - headed < 64) connect_one(&readers[opened++], port, argv[2], poll);
        int ready = epoll_wait(poll, events, BATCH, -1);
        for (int each = 0; each < ready; each++) {
            if (!events[each].data.ptr) goto end;
            headed += take(events[each].data.ptr);
            if (headed == count) {
                headed++;
                puts("ready");
                fflush(stdout);
            }
        }
    }
end:;
    FILE *file = fopen(argv[4], "wb");
    for (int number = 0; number < MAX_EVENTS && when[number]; number++)
        fwrite(when[number], sizeof(int64_t), count, file);
    return fclose(file);
}
