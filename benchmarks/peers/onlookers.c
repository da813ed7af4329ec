/* Readers of several articles, who note when they see a mark.
 *
 * onlookers PORT PATH ARTICLES K FILE
 *
 * Reader n asks for PATH with n modulo ARTICLES in the place of its %d. Says "ready" when every one
 * has the head of its answer. A mark is "zzq", a number and "z", anywhere in what a reader is told.
 * When standard input ends it writes FILE, and ends: for each mark that came, and each time it did,
 * when (nanoseconds of the monotonic clock), to whom, and its number, 8 bytes each. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 1 << 18, BATCH = 512, LEFT = 16, MOST = 1 << 20 };

struct reader {
    int fd, headed, left; /* how much of what came last may be the beginning of a mark */
    char tail[LEFT];
};
struct sight {
    int64_t time, reader, mark;
};

static struct reader *readers;
static struct sight *seen;
static int count, sights;

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
    if (reader->fd < 0 || connect(reader->fd, (struct sockaddr *)&to, sizeof to)) fail("connect");
    if (write(reader->fd, request, size) != size) fail("request");
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = reader};
    if (epoll_ctl(poll, EPOLL_CTL_ADD, reader->fd, &event)) fail("epoll_ctl");
}

static void look(struct reader *reader, char *data, char *end, int64_t time) {
    char *at = data;
    while ((at = memmem(at, end - at, "zzq", 3))) {
        char *after = at + 3;
        long mark = 0;
        while (after < end && *after >= '0' && *after <= '9') mark = mark * 10 + *after++ - '0';
        if (after == end) break;
        if (*after == 'z' && sights < MOST) seen[sights++] = (struct sight){time, reader - readers, mark};
        data = at = after;
    }
    reader->left = end - data < LEFT ? end - data : LEFT;
    memcpy(reader->tail, end - reader->left, reader->left);
}

static int take(struct reader *reader) { /* returns whether it has its head only now */
    static char buffer[BUFFER];
    memcpy(buffer, reader->tail, reader->left);
    ssize_t size = read(reader->fd, buffer + reader->left, sizeof buffer - LEFT - 1);
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    if (size <= 0) fail("a reader was cut off");
    char *end = buffer + reader->left + size;
    *end = 0;
    int first = !reader->headed;
    if (first && (strncmp(buffer, "HTTP/1.1 200", 12) || !strstr(buffer, "\r\n\r\n"))) {
        fprintf(stderr, "refused: %.60s\n", buffer);
        exit(1);
    }
    reader->headed = 1;
    look(reader, buffer, end, (int64_t)time.tv_sec * 1000000000 + time.tv_nsec);
    return first;
}

int main(int argc, char **argv) {
    if (argc != 6) return 2;
    int poll = epoll_create1(0), port = atoi(argv[1]), articles = atoi(argv[3]), headed = 0, opened = 0;
    count = atoi(argv[4]);
    readers = calloc(count, sizeof *readers);
    seen = calloc(MOST, sizeof *seen);
    struct epoll_event events[BATCH], stop = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &stop);
    for (;;) {
        while (opened < count && opened - headed < 64) {
            char path[256];
            snprintf(path, sizeof path, argv[2], opened % articles);
            connect_one(&readers[opened++], port, path, poll);
        }
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
    FILE *file = fopen(argv[5], "wb");
    fwrite(seen, sizeof *seen, sights, file);
    return fclose(file);
}
