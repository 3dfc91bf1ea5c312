/*
 * lineload: a load generator for line protocols over TCP. One thread, epoll.
 *
 * A reply is complete with its terminator: the line that starts with one of the words given by
 * --end or --fail. Three ways to load a server:
 *   closed loop (default)  N connections, each with DEPTH requests outstanding at any time
 *   --rate R               R requests a second on a fixed timetable, whether or not replies come, so a
 *                          stalled server can't hide its stall. A latency goes from the sending of the
 *                          request until the kernel had the last byte of the reply: how long this program
 *                          then waits for a core is not the server's time. How late its own clock woke it
 *                          is told beside it: on a machine that is shared, that is the floor of any figure
 *   --storm                N connects at once; the time until the last of them has its first reply
 * The result is one line of JSON; before it comes a line `ready` when all set-ups are answered. With --hold the connections then stay open until stdin ends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
  HEAD = 16,            /* bytes of a line that are kept to recognise its first word */
  READ_BYTES = 1 << 18,
  EVENTS = 1024,
  RATE_RING = 1 << 16,  /* requests that a timetable may run ahead of the replies */
  STORM_SECONDS = 30,   /* a storm that is not answered by then has failed */
  SETUP_SECONDS = 120,  /* a hundred logins may take a while */
  SETUP_AT_A_TIME = 2,  /* servers let few logins of one account wait */
  SUB = 64              /* histogram: buckets to each power of two, so 1.6 % wide */
};

struct connection {
  int fd;
  char *batch;          /* DEPTH requests, one behind the other */
  int ready;            /* its set-up has been answered; in a storm: its request is out */
  int headLength;
  char head[HEAD];
  unsigned first, next; /* ring of when outstanding requests were sent */
  uint64_t *sent;
};

static const char *host = "127.0.0.1", *request = "nop\n", *endWord = "300", *failWord = "400", *setup;
static int port, connections = 1, depth = 1, storm, hold, ring;
static double seconds = 1, warmUp = 0.3, rate;

static int poller;
static struct connection *all;
struct histogram { uint64_t counts[64 * SUB], values, longest; };

static struct histogram latencies, lateness; /* the second: of the timetable, by our own clock */
static uint64_t allReplies, failures, bytes, lost;
static uint64_t from, until;
static size_t requestLength;

static void die(const char *format, ...) {
  va_list list;
  va_start(list, format);
  fputs("lineload: ", stderr);
  vfprintf(stderr, format, list);
  fputc('\n', stderr);
  exit(1);
}

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A time of the wall clock as one of now(). */
static uint64_t monotonicOf(const struct timespec *wall) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  int64_t ago = (t.tv_sec - wall->tv_sec) * 1000000000ll + (t.tv_nsec - wall->tv_nsec);
  return now() - (uint64_t)(ago > 0 ? ago : 0);
}

static int bucketOf(uint64_t ns) {
  if (ns < SUB) return (int)ns;
  int top = 63 - __builtin_clzll(ns);
  return (top - 5) * SUB + (int)((ns >> (top - 6)) & (SUB - 1));
}

/* the middle of a bucket, in ns */
static double valueOf(int bucket) {
  if (bucket < SUB) return bucket;
  int top = bucket / SUB + 5;
  return (double)(1ull << top) * (1 + (bucket % SUB + 0.5) / SUB);
}

static double quantileUs(const struct histogram *h, double q) {
  uint64_t seen = 0, wanted = (uint64_t)((double)h->values * q);
  for (int i = 0; i < 64 * SUB; i++) {
    seen += h->counts[i];
    if (seen > wanted) return valueOf(i) / 1e3;
  }
  return (double)h->longest / 1e3;
}

static void record(struct histogram *h, uint64_t ns) {
  h->counts[bucketOf(ns)]++;
  h->values++;
  if (ns > h->longest) h->longest = ns;
}

static int openSocket(int nonBlocking) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  if (inet_pton(AF_INET, host, &address.sin_addr) != 1) die("not an IPv4 address: %s", host);
  int fd = socket(AF_INET, SOCK_STREAM | (nonBlocking ? SOCK_NONBLOCK : 0), 0), one = 1;
  if (fd < 0) die("socket: %s", strerror(errno));
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 && errno != EINPROGRESS)
    die("connect: %s", strerror(errno));
  if (rate > 0) setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
  if (!nonBlocking) fcntl(fd, F_SETFL, O_NONBLOCK);
  return fd;
}

static void watch(struct connection *c, int operation, uint32_t events) {
  struct epoll_event event = {.events = events, .data.ptr = c};
  if (epoll_ctl(poller, operation, c->fd, &event) != 0) die("epoll_ctl: %s", strerror(errno));
}

static void sendAll(struct connection *c, const char *text, size_t length) {
  ssize_t written = write(c->fd, text, length);
  if (written != (ssize_t)length) die("a request did not fit into the socket: %s", strerror(errno));
}

/* Sends `count` requests at `at`, in one write. */
static void demand(struct connection *c, int count, uint64_t at) {
  if (c->next - c->first + (unsigned)count > (unsigned)ring) die("the server is too far behind the timetable");
  for (int i = 0; i < count; i++) c->sent[c->next++ % (unsigned)ring] = at;
  sendAll(c, c->batch, (size_t)count * requestLength);
}

static int startsWith(const struct connection *c, const char *word) {
  size_t length = strlen(word);
  if ((size_t)c->headLength < length || memcmp(c->head, word, length) != 0) return 0;
  char after = (size_t)c->headLength > length ? c->head[length] : ' ';
  return after == ' ' || after == '\r';
}

/* Takes what a connection has received; returns how many replies ended in it. */
static int digest(struct connection *c, const char *data, size_t length, uint64_t at) {
  int ended = 0;
  for (const char *end = data + length; data < end;) {
    const char *newline = memchr(data, '\n', (size_t)(end - data));
    const char *stop = newline ? newline : end;
    for (const char *p = data; p < stop && c->headLength < HEAD; p++) c->head[c->headLength++] = *p;
    if (!newline) break;
    data = newline + 1;
    int failed = startsWith(c, failWord);
    if (failed || startsWith(c, endWord)) {
      ended++;
      if (setup && !c->ready) {
        if (failed) die("the set-up was refused: %.*s", c->headLength, c->head);
      } else {
        failures += (uint64_t)failed;
        allReplies++;
        if (!storm) {
          if (c->first == c->next) die("a reply came that nobody asked for");
          uint64_t sent = c->sent[c->first++ % (unsigned)ring];
          if (rate > 0 ? sent >= from : at >= from) record(&latencies, at > sent ? at - sent : 0);
        }
      }
    }
    c->headLength = 0;
  }
  return ended;
}

/* Reads once; returns the number of replies that ended, -1 for a connection that was closed. */
static int receive(struct connection *c, uint64_t at) {
  static char buffer[READ_BYTES];
  char control[CMSG_SPACE(sizeof(struct timespec))];
  struct iovec into = {buffer, sizeof buffer};
  struct msghdr message = {.msg_iov = &into, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t got = recvmsg(c->fd, &message, 0);
  if (got < 0 && errno == EAGAIN) return 0;
  if (got <= 0) {
    epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
    lost++;
    return -1;
  }
  bytes += (uint64_t)got;
  struct cmsghdr *stamp = CMSG_FIRSTHDR(&message);
  if (rate > 0 && stamp && stamp->cmsg_type == SCM_TIMESTAMPNS) {
    struct timespec received;
    memcpy(&received, CMSG_DATA(stamp), sizeof received);
    at = monotonicOf(&received);
  }
  return digest(c, buffer, (size_t)got, at);
}

static void awaitSetup(void) {
  struct epoll_event events[EVENTS];
  uint64_t deadline = now() + SETUP_SECONDS * 1000000000ull;
  int sent = 0;
  while (sent < connections && sent < SETUP_AT_A_TIME) sendAll(&all[sent++], setup, strlen(setup));
  for (int open = connections; open > 0;) {
    int count = epoll_wait(poller, events, EVENTS, 1000);
    if (now() > deadline) die("the set-up was not answered");
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      int ended = receive(c, now());
      if (ended < 0) die("closed during the set-up");
      if (ended == 0 || c->ready) continue;
      c->ready = 1;
      open--;
      if (sent < connections) sendAll(&all[sent++], setup, strlen(setup));
    }
  }
}

static void closedLoop(void) {
  struct epoll_event events[EVENTS];
  uint64_t at = now();
  for (int i = 0; i < connections; i++) demand(&all[i], depth, at);
  while ((at = now()) < until && lost < (uint64_t)connections) {
    int count = epoll_wait(poller, events, EVENTS, 100);
    at = now();
    for (int i = 0; i < count; i++) {
      int ended = receive(events[i].data.ptr, at);
      if (ended > 0) demand(events[i].data.ptr, ended, now());
    }
  }
}

static void timetable(void) {
  struct epoll_event events[EVENTS];
  uint64_t start = now(), sent = 0, period = (uint64_t)(1e9 / rate), at;
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct itimerspec every = {{(time_t)(period / 1000000000u), (long)(period % 1000000000u)}, {0, 1}};
  timerfd_settime(timer, 0, &every, NULL);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
  epoll_ctl(poller, EPOLL_CTL_ADD, timer, &event);
  while ((at = now()) < until && lost < (uint64_t)connections) {
    int count = epoll_wait(poller, events, EVENTS, 100);
    at = now();
    for (int i = 0; i < count; i++) {
      if (events[i].data.ptr) { receive(events[i].data.ptr, at); continue; }
      uint64_t expired;
      if (read(timer, &expired, sizeof expired) < 0 && errno != EAGAIN) die("timer: %s", strerror(errno));
      for (; start + sent * period <= at; sent++) {
        if (start + sent * period >= from) record(&lateness, at - start - sent * period);
        demand(&all[sent % (unsigned)connections], 1, now());
      }
    }
  }
  /* What is still unanswered has waited at least this long. */
  at = now();
  for (int i = 0; i < connections; i++)
    for (struct connection *c = &all[i]; c->first != c->next; c->first++) {
      uint64_t sent = c->sent[c->first % (unsigned)ring];
      if (sent >= from) record(&latencies, at - sent);
    }
}

/* Returns the nanoseconds from the first connect to the last first reply. */
static uint64_t storming(void) {
  struct epoll_event events[EVENTS];
  uint64_t start = now(), deadline = start + STORM_SECONDS * 1000000000ull;
  for (int i = 0; i < connections; i++) {
    all[i].fd = openSocket(1);
    watch(&all[i], EPOLL_CTL_ADD, EPOLLOUT);
  }
  for (int waiting = connections; waiting > 0;) {
    int count = epoll_wait(poller, events, EVENTS, 100);
    uint64_t at = now();
    if (at > deadline) { lost += (uint64_t)waiting; break; }
    for (int i = 0; i < count; i++) {
      struct connection *c = events[i].data.ptr;
      if (!c->ready) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) die("connect: %s", strerror(error));
        c->ready = 1;
        sendAll(c, c->batch, requestLength);
        watch(c, EPOLL_CTL_MOD, EPOLLIN);
      } else if (receive(c, at) != 0) {
        epoll_ctl(poller, EPOLL_CTL_DEL, c->fd, NULL);
        waiting--;
      }
    }
  }
  return now() - start;
}

static void options(int count, char **words) {
  static const struct option known[] = {
    {"host", 1, 0, 'h'}, {"port", 1, 0, 'p'}, {"connections", 1, 0, 'c'}, {"depth", 1, 0, 'd'},
    {"seconds", 1, 0, 't'}, {"warm-up", 1, 0, 'w'}, {"request", 1, 0, 'q'}, {"end", 1, 0, 'e'},
    {"fail", 1, 0, 'f'}, {"rate", 1, 0, 'r'}, {"storm", 0, 0, 's'}, {"hold", 0, 0, 'k'}, {0, 0, 0, 0},
  };
  for (int o; (o = getopt_long(count, words, "", known, NULL)) != -1;) switch (o) {
    case 'h': host = optarg; break;
    case 'p': port = atoi(optarg); break;
    case 'c': connections = atoi(optarg); break;
    case 'd': depth = atoi(optarg); break;
    case 't': seconds = atof(optarg); break;
    case 'w': warmUp = atof(optarg); break;
    case 'q': request = optarg; break;
    case 'e': endWord = optarg; break;
    case 'f': failWord = optarg; break;
    case 'r': rate = atof(optarg); break;
    case 's': storm = 1; break;
    case 'k': hold = 1; break;
    default: exit(2);
  }
  if (port <= 0 || connections < 1 || depth < 1) die("--port, --connections and --depth must be positive");
  setup = getenv("LINELOAD_SETUP"); /* may hold a password: not for the process list */
}

/* In a request, ##### stands for the number of the connection, in as many digits. */
static void fillBatch(struct connection *c, int number) {
  char digits[16];
  snprintf(digits, sizeof digits, "%05d", number % 100000);
  for (int i = 0; i < depth; i++) {
    char *copy = c->batch + (size_t)i * requestLength;
    memcpy(copy, request, requestLength);
    c->batch[(size_t)(i + 1) * requestLength] = 0;
    char *mark = strstr(copy, "#####");
    if (mark) memcpy(mark, digits, 5);
  }
}

static void prepare(void) {
  struct rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  requestLength = strlen(request);
  ring = rate > 0 ? RATE_RING : depth;
  all = calloc((size_t)connections, sizeof *all);
  poller = epoll_create1(0);
  if (!all || poller < 0) die("out of memory or descriptors");
  for (int i = 0; i < connections; i++) {
    all[i].sent = malloc((size_t)ring * sizeof *all[i].sent);
    all[i].batch = malloc(requestLength * (size_t)depth + 1);
    if (!all[i].sent || !all[i].batch) die("out of memory");
    fillBatch(&all[i], i + 1);
  }
}

int main(int count, char **words) {
  options(count, words);
  prepare();
  double spent = seconds, stormMs = 0;
  if (storm) {
    stormMs = (double)storming() / 1e6;
  } else {
    for (int i = 0; i < connections; i++) {
      all[i].fd = openSocket(0);
      watch(&all[i], EPOLL_CTL_ADD, EPOLLIN);
    }
    if (setup) {
      awaitSetup();
      puts("ready");
      fflush(stdout);
    }
    from = now() + (uint64_t)(warmUp * 1e9);
    until = from + (uint64_t)(seconds * 1e9);
    if (rate > 0) timetable(); else closedLoop();
    spent = (double)(now() - from) / 1e9;
  }
  printf("{\"replies\":%llu,\"allReplies\":%llu,\"failures\":%llu,\"lost\":%llu,\"bytes\":%llu,\"seconds\":%.6f,"
         "\"rps\":%.1f,\"p50us\":%.1f,\"p99us\":%.1f,\"p999us\":%.1f,\"maxus\":%.1f,\"lateP99us\":%.1f,\"stormMs\":%.3f}\n",
         (unsigned long long)latencies.values, (unsigned long long)allReplies, (unsigned long long)failures,
         (unsigned long long)lost, (unsigned long long)bytes, spent, (double)latencies.values / spent,
         quantileUs(&latencies, 0.5), quantileUs(&latencies, 0.99), quantileUs(&latencies, 0.999), (double)latencies.longest / 1e3,
         quantileUs(&lateness, 0.99), stormMs);
  fflush(stdout);
  if (hold) for (char byte; read(STDIN_FILENO, &byte, 1) > 0;) continue;
  return 0;
}
