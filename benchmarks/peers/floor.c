/* The floor: what sending one buffer to K sockets costs in C, and nothing else.
 *
 * floor PORT: GET is answered with a stream, POST sends its body to all streams as an event.
 * It takes whole requests in one read, and ends if a socket can't take an event at once. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MOST = 20000, BUFFER = 1 << 16, BATCH = 512 };

static int streams[MOST], many;

static void publish(const char *body, size_t size) {
    static char event[BUFFER + 64];
    char data[BUFFER + 32];
    int inner = snprintf(data, sizeof data, "id: %d\nevent: change\ndata: %.*s\n\n", 1, (int)size, body);
    int whole = snprintf(event, sizeof event, "%x\r\n%.*s\r\n", inner, inner, data);
    for (int each = 0; each < many; each++)
        if (send(streams[each], event, whole, MSG_DONTWAIT | MSG_NOSIGNAL) != whole) exit(3);
}

static void gone(int fd) {
    for (int each = 0; each < many; each++)
        if (streams[each] == fd) streams[each] = streams[--many];
    close(fd);
}

static void answer(int fd, char *request, ssize_t size) {
    static const char stream[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                                 "Transfer-Encoding: chunked\r\n\r\n";
    static const char taken[] = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n";
    request[size] = 0;
    if (request[0] == 'G') {
        if (write(fd, stream, sizeof stream - 1) > 0 && many < MOST) streams[many++] = fd;
        return;
    }
    char *body = strstr(request, "\r\n\r\n") + 4;
    publish(body, size - (body - request));
    if (write(fd, taken, sizeof taken - 1) < 0) exit(3);
}

int main(int argc, char **argv) {
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int door = socket(AF_INET, SOCK_STREAM, 0), poll = epoll_create1(0), yes = 1;
    if (argc != 2) return 2;
    at.sin_port = htons(atoi(argv[1]));
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(door, (struct sockaddr *)&at, sizeof at) || listen(door, 4096)) return 1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = door}, events[BATCH];
    epoll_ctl(poll, EPOLL_CTL_ADD, door, &event);
    static char request[BUFFER];
    for (;;) {
        int ready = epoll_wait(poll, events, BATCH, -1);
        for (int each = 0; each < ready; each++) {
            int fd = events[each].data.fd;
            if (fd == door) {
                event.data.fd = accept(door, NULL, NULL);
                epoll_ctl(poll, EPOLL_CTL_ADD, event.data.fd, &event);
                continue;
            }
            ssize_t size = read(fd, request, sizeof request - 1);
            if (size > 0) answer(fd, request, size);
            else gone(fd);
        }
    }
}
