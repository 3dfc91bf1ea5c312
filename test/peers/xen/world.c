/* The simulated host's state on disk, its lock, its guests and its faults. */
#define _GNU_SOURCE
#include "simulation.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

static struct domain domains[MAX_DOMAINS];
static int count;
static int lock_fd = -1;

static void die(const char *what)
{
    fprintf(stderr, "simulation: %s: %s\n", what, strerror(errno));
    _exit(99);
}

const char *world_path(const char *file)
{
    static char path[4096];
    const char *folder = getenv("XEN_SIMULATION");
    if (!folder) { errno = EINVAL; die("XEN_SIMULATION"); }
    snprintf(path, sizeof(path), "%s/%s", folder, file);
    return path;
}

bool world_alive(void)
{
    int owner = 0;
    FILE *file = fopen(world_path("owner"), "r");
    if (!file) return false;
    if (fscanf(file, "%d", &owner) != 1) owner = 0;
    fclose(file);
    return owner > 0 && (kill(owner, 0) == 0 || errno == EPERM);
}

void append_line(const char *name, const char *format, ...)
{
    va_list arguments;
    FILE *file = fopen(world_path(name), "a");
    if (!file) die(name);
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    fputc('\n', file);
    fclose(file);
}

static bool parse_uuid(const char *text, libxl_uuid *uuid)
{
    return libxl_uuid_from_string(uuid, text) == 0;
}

static void load(void)
{
    char line[1024], uuid[64], flags[32];
    int type, reason, pending, used;
    FILE *file = fopen(world_path("domains"), "r");
    count = 0;
    if (!file) { if (errno == ENOENT) return; die("domains"); }
    while (fgets(line, sizeof(line), file)) {
        if (count == MAX_DOMAINS) { errno = E2BIG; die("domains"); }
        struct domain *d = &domains[count];
        memset(d, 0, sizeof(*d));
        if (sscanf(line, "%u\t%31[^\t]\t%d\t%d\t%d\t%lu\t%d\t%lu\t%u\t%63[^\t]\t%n",
                   &d->domid, flags, &type, &reason, &pending, &d->memory_mb, &d->vcpus,
                   &d->cpu_ns, &d->started, uuid, &used) != 10 || !parse_uuid(uuid, &d->uuid)) {
            errno = EINVAL;
            die(line);
        }
        d->type = type;
        d->reason = reason;
        d->pending = pending;
        d->paused = strchr(flags, 'p') != NULL;
        d->shutdown = strchr(flags, 's') != NULL;
        d->dying = strchr(flags, 'd') != NULL;
        d->stubborn = strchr(flags, 'I') != NULL;
        d->pv_drivers = strchr(flags, 'D') != NULL;
        d->zombie = strchr(flags, 'Z') != NULL;
        line[strcspn(line, "\n")] = 0;
        snprintf(d->name, sizeof(d->name), "%s", line + used);
        count++;
    }
    fclose(file);
}

static void store(void)
{
    char temporary[4096];
    snprintf(temporary, sizeof(temporary), "%s", world_path("domains.new"));
    FILE *file = fopen(temporary, "w");
    if (!file) die("domains.new");
    for (int i = 0; i < count; i++) {
        struct domain *d = &domains[i];
        fprintf(file, "%u\t-%s%s%s%s%s%s\t%d\t%d\t%d\t%lu\t%d\t%lu\t%u\t" LIBXL_UUID_FMT "\t%s\n",
                d->domid, d->paused ? "p" : "", d->shutdown ? "s" : "", d->dying ? "d" : "",
                d->stubborn ? "I" : "", d->pv_drivers ? "D" : "", d->zombie ? "Z" : "",
                d->type, d->reason, d->pending, d->memory_mb, d->vcpus, d->cpu_ns, d->started,
                LIBXL_UUID_BYTES(d->uuid), d->name);
    }
    if (fclose(file) || rename(temporary, world_path("domains"))) die("domains");
}

/* A guest can only obey while it runs. Running guests use a tenth of a CPU for each look at them. */
static bool let_guests_act(void)
{
    bool changed = false;
    for (int i = 0; i < count; i++) {
        struct domain *d = &domains[i];
        if (d->paused || d->shutdown || d->dying) continue;
        d->cpu_ns += 100000000;
        changed = true;
        if (d->pending == PENDING_NONE) continue;
        d->shutdown = true;
        d->reason = d->pending == PENDING_REBOOT ? LIBXL_SHUTDOWN_REASON_REBOOT : LIBXL_SHUTDOWN_REASON_POWEROFF;
        d->pending = PENDING_NONE;
    }
    return changed;
}

void world_enter(void)
{
    lock_fd = open(world_path("lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (lock_fd < 0 || flock(lock_fd, LOCK_EX)) die("lock");
    load();
    if (let_guests_act()) store();
}

void world_leave(bool changed)
{
    if (changed) store();
    close(lock_fd);
    lock_fd = -1;
}

int domain_count(void) { return count; }
struct domain *domain_at(int index) { return &domains[index]; }

struct domain *domain_by_id(uint32_t domid)
{
    for (int i = 0; i < count; i++) if (domains[i].domid == domid) return &domains[i];
    return NULL;
}

struct domain *domain_by_name(const char *name)
{
    for (int i = 0; i < count; i++)
        if (!domains[i].zombie && !strcmp(domains[i].name, name)) return &domains[i];
    return NULL;
}

struct domain *domain_add(void)
{
    if (count == MAX_DOMAINS) return NULL;
    memset(&domains[count], 0, sizeof(domains[count]));
    return &domains[count++];
}

void domain_remove(struct domain *domain)
{
    int index = domain - domains;
    memmove(domain, domain + 1, (count - index - 1) * sizeof(*domain));
    count--;
}

uint32_t next_domid(void)
{
    uint32_t domid = 1;
    FILE *file = fopen(world_path("next-domid"), "r");
    if (file) {
        if (fscanf(file, "%u", &domid) != 1) domid = 1;
        fclose(file);
    }
    file = fopen(world_path("next-domid"), "w");
    if (!file) die("next-domid");
    fprintf(file, "%u\n", domid + 1);
    fclose(file);
    return domid;
}

static void hang(bool deaf)
{
    if (deaf) signal(SIGTERM, SIG_IGN);
    while (world_alive()) usleep(100000);
    _exit(98);
}

enum fault fault_for(const char *call, const char *name)
{
    char line[512], where[64], whom[256], what[64];
    enum fault found = FAULT_NONE;
    FILE *file = fopen(world_path("faults"), "r");
    if (!file) return FAULT_NONE;
    while (fgets(line, sizeof(line), file)) {
        long argument = 0;
        if (sscanf(line, "%63s %255s %63s %ld", where, whom, what, &argument) < 3) continue;
        if (strcmp(where, call) || (strcmp(whom, "*") && (!name || strcmp(whom, name)))) continue;
        if (!strcmp(what, "hang")) hang(false);
        else if (!strcmp(what, "deaf")) hang(true);
        else if (!strcmp(what, "delay")) usleep(argument * 1000);
        else if (!strcmp(what, "noise")) for (long i = 0; i < argument; i++) printf("%01023d\n", 0);
        else if (!strcmp(what, "fail")) found = FAULT_FAIL;
        else if (!strcmp(what, "ignore")) found = FAULT_IGNORE;
        else { errno = EINVAL; die(line); }
    }
    fclose(file);
    return found;
}

void guard_domain_0(const char *call, uint32_t domid)
{
    if (domid == 0) append_line("violations", "%s on domain 0", call);
}

void log_error(const char *where, uint32_t domid, const char *format, ...)
{
    va_list arguments;
    fprintf(stderr, "libxl: error: %s: Domain %u:", where, domid);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}
