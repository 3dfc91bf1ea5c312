/*
 * libxl's entry points that xl's list, uptime, create, save … call, over the simulated host.
 * Loaded before the true libxl with LD_PRELOAD; what is absent here is the true library's.
 * Messages and error numbers are those of libxl 4.17.
 */
#define _GNU_SOURCE
#include "simulation.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* True library code takes only allocation helpers from the context: zeroes serve for those. */
static char context[1 << 16];

int libxl_ctx_alloc(libxl_ctx **ctx, int version, unsigned flags, xentoollog_logger *logger)
{
    (void)version; (void)flags; (void)logger;
    *ctx = (libxl_ctx *)context;
    return 0;
}

int libxl_ctx_free(libxl_ctx *ctx) { (void)ctx; return 0; }

/* ---- what there is ---- */

static void fill(libxl_dominfo *info, const struct domain *d)
{
    libxl_dominfo_init(info);
    info->uuid = d->uuid;
    info->domid = d->domid;
    info->paused = d->paused;
    info->shutdown = d->shutdown;
    info->dying = d->dying;
    info->blocked = !d->paused && !d->shutdown && !d->dying && d->domid != 0;
    info->running = d->domid == 0;
    info->shutdown_reason = d->shutdown ? d->reason : LIBXL_SHUTDOWN_REASON_UNKNOWN;
    info->current_memkb = info->max_memkb = d->memory_mb * 1024;
    info->outstanding_memkb = info->shared_memkb = info->paged_memkb = 0;
    info->vcpu_online = d->vcpus;
    info->vcpu_max_id = d->vcpus - 1;
    info->cpu_time = d->cpu_ns;
    info->domain_type = d->type;
}

libxl_dominfo *libxl_list_domain(libxl_ctx *ctx, int *found)
{
    (void)ctx;
    if (fault_for("list", NULL) == FAULT_FAIL) {
        fprintf(stderr, "libxl: error: libxl_domain.c:329:libxl_list_domain: getting domain info list: Operation not permitted\n");
        return NULL;
    }
    world_enter();
    *found = domain_count();
    libxl_dominfo *list = calloc(*found ? *found : 1, sizeof(*list));
    for (int i = 0; i < *found; i++) fill(&list[i], domain_at(i));
    world_leave(false);
    return list;
}

int libxl_domain_info(libxl_ctx *ctx, libxl_dominfo *info, uint32_t domid)
{
    (void)ctx;
    world_enter();
    struct domain *d = domain_by_id(domid);
    if (d) fill(info, d);
    world_leave(false);
    return d ? 0 : ERROR_DOMAIN_NOTFOUND;
}

char *libxl_domid_to_name(libxl_ctx *ctx, uint32_t domid)
{
    (void)ctx;
    world_enter();
    struct domain *d = domain_by_id(domid);
    char *name = d && !d->zombie ? strdup(d->name) : NULL;
    world_leave(false);
    return name;
}

int libxl_name_to_domid(libxl_ctx *ctx, const char *name, uint32_t *domid)
{
    (void)ctx;
    world_enter();
    struct domain *d = domain_by_name(name);
    if (d) *domid = d->domid;
    world_leave(false);
    return d ? 0 : ERROR_INVAL;
}

/* As libxl does it: digits are a number, unchecked; no digits at all are 0. */
int libxl_domain_qualifier_to_domid(libxl_ctx *ctx, const char *name, uint32_t *domid)
{
    const char *p = name;
    while (isdigit((unsigned char)*p)) p++;
    if (*p) {
        append_line("violations", "named a domain instead of numbering it: %s", name);
        return libxl_name_to_domid(ctx, name, domid);
    }
    *domid = strtoul(name, NULL, 10);
    return 0;
}

libxl_vminfo *libxl_list_vm(libxl_ctx *ctx, int *found)
{
    (void)ctx;
    world_enter();
    *found = domain_count();
    libxl_vminfo *list = calloc(*found ? *found : 1, sizeof(*list));
    for (int i = 0; i < *found; i++) {
        list[i].domid = domain_at(i)->domid;
        list[i].uuid = domain_at(i)->uuid;
    }
    world_leave(false);
    return list;
}

uint32_t libxl_vm_get_start_time(libxl_ctx *ctx, uint32_t domid)
{
    (void)ctx;
    world_enter();
    struct domain *d = domain_by_id(domid);
    uint32_t started = d ? d->started : (uint32_t)-1;
    world_leave(false);
    return started;
}

static const char *config_file(uint32_t domid)
{
    char name[32];
    snprintf(name, sizeof(name), "config.%u", domid);
    return world_path(name);
}

int libxl_retrieve_domain_configuration(libxl_ctx *ctx, uint32_t domid, libxl_domain_config *config,
                                        const libxl_asyncop_how *how)
{
    (void)how;
    world_enter();
    struct domain *d = domain_by_id(domid);
    char name[NAME_BYTES] = "";
    if (d) memcpy(name, d->name, sizeof(name));
    world_leave(false);
    if (!d || domid == 0 || fault_for("config", name) == FAULT_FAIL) return ERROR_FAIL;
    void *text = NULL;
    int length = 0;
    if (libxl_read_file_contents(ctx, config_file(domid), &text, &length)) return ERROR_FAIL;
    int rc = libxl_domain_config_from_json(ctx, config, text);
    free(text);
    return rc;
}

/* ---- what can be done ---- */

/* Enters the world, finds the domain and applies faults. Leaves it again unless 0 is returned. */
static int begin(const char *call, uint32_t domid, struct domain **d, enum fault *fault)
{
    char name[NAME_BYTES] = "";
    guard_domain_0(call, domid);
    world_enter();
    *d = domain_by_id(domid);
    if (*d) memcpy(name, (*d)->name, sizeof(name));
    world_leave(false);
    if (!*d) return ERROR_DOMAIN_NOTFOUND;
    *fault = fault_for(call, name);
    world_enter();
    *d = domain_by_id(domid);
    if (*d) return 0;
    world_leave(false);
    return ERROR_DOMAIN_NOTFOUND;
}

int libxl_domain_pause(libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
    struct domain *d;
    enum fault fault;
    (void)ctx; (void)how;
    if (begin("pause", domid, &d, &fault)) {
        log_error("libxl_domain.c:588:libxl_domain_pause", domid, "Pausing domain: No such process");
        return ERROR_FAIL;
    }
    if (fault == FAULT_NONE) d->paused = true;
    world_leave(true);
    if (fault == FAULT_FAIL) log_error("libxl_domain.c:588:libxl_domain_pause", domid, "Pausing domain: Operation not permitted");
    return fault == FAULT_FAIL ? ERROR_FAIL : 0;
}

int libxl_domain_unpause(libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
    struct domain *d;
    enum fault fault;
    (void)ctx; (void)how;
    if (begin("unpause", domid, &d, &fault)) {
        log_error("libxl_domain.c:640:libxl_domain_unpause", domid, "Unpausing domain: No such process");
        return ERROR_FAIL;
    }
    if (fault == FAULT_NONE) d->paused = false;
    world_leave(true);
    if (fault == FAULT_FAIL) log_error("libxl_domain.c:640:libxl_domain_unpause", domid, "Unpausing domain: Operation not permitted");
    return fault == FAULT_FAIL ? ERROR_FAIL : 0;
}

int libxl_domain_destroy(libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
    struct domain *d;
    enum fault fault;
    (void)ctx; (void)how;
    if (begin("destroy", domid, &d, &fault)) {
        log_error("libxl_domain.c:1183:libxl__destroy_domid", domid, "Non-existant domain");
        log_error("libxl_domain.c:1137:domain_destroy_callback", domid, "Unable to destroy guest");
        log_error("libxl_domain.c:1064:domain_destroy_cb", domid, "Destruction of domain failed");
        return ERROR_DOMAIN_NOTFOUND;
    }
    if (fault == FAULT_IGNORE) {
        d->zombie = d->dying = true;
        d->paused = d->shutdown = false;
    } else if (fault == FAULT_NONE) {
        unlink(config_file(domid));
        domain_remove(d);
    }
    world_leave(true);
    if (fault == FAULT_FAIL) log_error("libxl_domain.c:1200:libxl__destroy_domid", domid, "xc_domain_pause failed");
    return fault == FAULT_FAIL ? ERROR_FAIL : 0;
}

/* PV guests, and HVM guests with drivers, read the request in xenstore; other HVM guests cannot. */
static int ask_guest(const char *call, uint32_t domid, enum pending what)
{
    struct domain *d;
    enum fault fault;
    int rc = 0;
    if (begin(call, domid, &d, &fault)) return ERROR_FAIL;
    if (d->type == LIBXL_DOMAIN_TYPE_HVM && !d->pv_drivers) rc = ERROR_NOPARAVIRT;
    else if (fault == FAULT_FAIL) rc = ERROR_FAIL;
    else if (fault == FAULT_NONE && !d->stubborn) d->pending = what;
    world_leave(true);
    return rc;
}

int libxl_domain_shutdown(libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
    (void)ctx; (void)how;
    return ask_guest("shutdown", domid, PENDING_POWEROFF);
}

int libxl_domain_reboot(libxl_ctx *ctx, uint32_t domid, const libxl_asyncop_how *how)
{
    (void)ctx; (void)how;
    return ask_guest("reboot", domid, PENDING_REBOOT);
}

/* x86 hypervisors know the power button (HVM only) and have no reset: ENOSYS. */
int libxl_send_trigger(libxl_ctx *ctx, uint32_t domid, libxl_trigger trigger, uint32_t vcpu,
                       const libxl_asyncop_how *how)
{
    struct domain *d;
    enum fault fault;
    (void)ctx; (void)vcpu; (void)how;
    if (begin("trigger", domid, &d, &fault)) return ERROR_FAIL;
    bool known = trigger == LIBXL_TRIGGER_POWER && d->type == LIBXL_DOMAIN_TYPE_HVM && fault != FAULT_FAIL;
    if (known && !d->stubborn) d->pending = PENDING_POWEROFF;
    world_leave(true);
    if (known) return 0;
    log_error("libxl_domain.c:1546:libxl_send_trigger", domid, "Send trigger '%s' failed: Function not implemented",
                libxl_trigger_to_string(trigger));
    return ERROR_FAIL;
}

static bool has_word(const char *text, const char *word) { return text && strstr(text, word) != NULL; }

/* As libxl: an interface without an address of its own gets one from Xen's range. */
static void give_mac(libxl_device_nic *nic, int devid, uint32_t domid)
{
    static const uint8_t NONE[6];
    nic->devid = devid;
    if (memcmp(nic->mac, NONE, sizeof(NONE))) return;
    const uint8_t generated[6] = { 0x00, 0x16, 0x3e, 0x7f, devid, domid };
    memcpy(nic->mac, generated, sizeof(generated));
}

/* A new domain is paused until xl lets it run. The guest's manners come from its kernel's command line. */
static int add_domain(libxl_ctx *ctx, libxl_domain_config *config, uint32_t *domid)
{
    const char *name = config->c_info.name;
    world_enter();
    if (domain_by_name(name)) {
        world_leave(false);
        fprintf(stderr, "libxl: error: libxl_domain.c:98:libxl__domain_rename: Domain with name \"%s\" already exists.\n"
                        "libxl: error: libxl_create.c:1254:initiate_domain_create: cannot make domain: -6\n", name);
        return ERROR_INVAL;
    }
    struct domain *d = domain_add();
    if (!d) { world_leave(false); return ERROR_NOMEM; }
    d->domid = *domid = next_domid();
    d->paused = true;
    d->type = config->c_info.type;
    d->memory_mb = config->b_info.max_memkb / 1024;
    d->vcpus = config->b_info.max_vcpus ? config->b_info.max_vcpus : 1; /* libxl's default */
    d->started = time(NULL);
    d->uuid = config->c_info.uuid;
    d->stubborn = has_word(config->b_info.cmdline, "sim.stubborn");
    d->pv_drivers = has_word(config->b_info.cmdline, "sim.pvdrivers");
    snprintf(d->name, sizeof(d->name), "%s", name);
    for (int i = 0; i < config->num_nics; i++) give_mac(&config->nics[i], i, d->domid);
    char *json = libxl_domain_config_to_json(ctx, config);
    FILE *file = json ? fopen(config_file(d->domid), "w") : NULL;
    if (file) { fputs(json, file); fclose(file); }
    free(json);
    world_leave(true);
    return 0;
}

int libxl_domain_create_new(libxl_ctx *ctx, libxl_domain_config *config, uint32_t *domid,
                            const libxl_asyncop_how *how, const libxl_asyncprogress_how *console)
{
    (void)how; (void)console;
    if (fault_for("create", config->c_info.name) == FAULT_FAIL) {
        fprintf(stderr, "libxl: error: libxl_device.c:1109:device_backend_callback: unable to add device with path /local/domain/0/backend/vbd/7/51714\n"
                        "libxl: error: libxl_create.c:1862:domcreate_launch_dm: Domain 7:unable to add disk devices\n");
        return ERROR_FAIL;
    }
    return add_domain(ctx, config, domid);
}

/* ---- to disk and back ---- */

static const char STREAM[] = "simulated memory image, whole\n";

int libxl_domain_suspend(libxl_ctx *ctx, uint32_t domid, int fd, int flags, const libxl_asyncop_how *how)
{
    struct domain *d;
    (void)ctx; (void)flags; (void)how;
    guard_domain_0("suspend", domid);
    world_enter();
    d = domain_by_id(domid);
    if (!d || d->shutdown || d->dying) { world_leave(false); return ERROR_FAIL; }
    char name[NAME_BYTES];
    memcpy(name, d->name, sizeof(name));
    d->shutdown = true;
    d->reason = LIBXL_SHUTDOWN_REASON_SUSPEND;
    world_leave(true);
    if (write(fd, STREAM, sizeof(STREAM) / 2) < 0) return ERROR_FAIL;
    if (fault_for("suspend", name) == FAULT_FAIL) {
        log_error("libxl_stream_write.c:350:libxl__xc_domain_save_done", domid, "saving domain: domain did not respond to suspend request: No space left on device");
        return ERROR_FAIL;
    }
    return write(fd, STREAM + sizeof(STREAM) / 2, sizeof(STREAM) - sizeof(STREAM) / 2) < 0 ? ERROR_FAIL : 0;
}

int libxl_domain_resume(libxl_ctx *ctx, uint32_t domid, int cooperative, const libxl_asyncop_how *how)
{
    (void)ctx; (void)cooperative; (void)how;
    world_enter();
    struct domain *d = domain_by_id(domid);
    if (d && d->shutdown && d->reason == LIBXL_SHUTDOWN_REASON_SUSPEND) d->shutdown = false;
    world_leave(true);
    return d ? 0 : ERROR_FAIL;
}

int libxl_domain_create_restore(libxl_ctx *ctx, libxl_domain_config *config, uint32_t *domid, int restore_fd,
                                int send_back_fd, const libxl_domain_restore_params *params,
                                const libxl_asyncop_how *how, const libxl_asyncprogress_how *console)
{
    char image[sizeof(STREAM)];
    (void)send_back_fd; (void)params; (void)how; (void)console;
    if (fault_for("restore", config->c_info.name) == FAULT_FAIL
        || read(restore_fd, image, sizeof(image)) != sizeof(image) || memcmp(image, STREAM, sizeof(image))) {
        fprintf(stderr, "libxl: error: libxl_stream_read.c:350:stream_header_done: Invalid ident: expected 0x4c6962786c466d74, got 0x0\n"
                        "libxl: error: libxl_create.c:1336:domcreate_rebuild_done: Domain 7:cannot (re-)build domain: -3\n");
        return ERROR_FAIL;
    }
    return add_domain(ctx, config, domid);
}

/* ---- the monitor daemon of `xl create` ---- */

static uint32_t watched;

int libxl_evenable_domain_death(libxl_ctx *ctx, uint32_t domid, libxl_ev_user user, libxl_evgen_domain_death **out)
{
    (void)ctx; (void)user;
    watched = domid;
    *out = (libxl_evgen_domain_death *)context;
    append_line("monitors", "%d", (int)getpid());
    return 0;
}

void libxl_evdisable_domain_death(libxl_ctx *ctx, libxl_evgen_domain_death *watch) { (void)ctx; (void)watch; }
int libxl_evenable_disk_eject(libxl_ctx *ctx, uint32_t domid, const char *vdev, libxl_ev_user user, libxl_evgen_disk_eject **out)
{
    (void)ctx; (void)domid; (void)vdev; (void)user;
    *out = NULL;
    return 0;
}
void libxl_evdisable_disk_eject(libxl_ctx *ctx, libxl_evgen_disk_eject *watch) { (void)ctx; (void)watch; }

int libxl_event_wait(libxl_ctx *ctx, libxl_event **out, uint64_t mask, libxl_event_predicate *predicate, void *user)
{
    (void)ctx; (void)mask; (void)predicate; (void)user;
    for (;; usleep(50000)) {
        if (!world_alive()) _exit(0);
        world_enter();
        struct domain *d = domain_by_id(watched);
        bool gone = !d || d->dying;
        bool down = d && d->shutdown && d->reason != LIBXL_SHUTDOWN_REASON_SUSPEND;
        int reason = d ? d->reason : 0;
        world_leave(false);
        if (!gone && !down) continue;
        libxl_event *event = calloc(1, sizeof(*event));
        event->domid = watched;
        event->type = gone ? LIBXL_EVENT_TYPE_DOMAIN_DEATH : LIBXL_EVENT_TYPE_DOMAIN_SHUTDOWN;
        if (down) event->u.domain_shutdown.shutdown_reason = reason;
        *out = event;
        return 0;
    }
}

int libxl_event_check(libxl_ctx *ctx, libxl_event **out, uint64_t mask, libxl_event_predicate *predicate, void *user)
{
    (void)ctx; (void)out; (void)mask; (void)predicate; (void)user;
    return ERROR_NOT_READY;
}

void libxl_event_free(libxl_ctx *ctx, libxl_event *event) { (void)ctx; free(event); }

int libxl_create_logfile(libxl_ctx *ctx, const char *name, char **full_name)
{
    (void)ctx; (void)name;
    *full_name = strdup(world_path("monitor.log"));
    return 0;
}

void libxl_childproc_setmode(libxl_ctx *ctx, const libxl_childproc_hooks *hooks, void *user) { (void)ctx; (void)hooks; (void)user; }
void libxl_postfork_child_noexec(libxl_ctx *ctx) { (void)ctx; }

int libxl_userdata_retrieve(libxl_ctx *ctx, uint32_t domid, const char *id, uint8_t **data, int *length)
{
    (void)ctx; (void)domid; (void)id;
    *data = NULL;
    *length = 0;
    return 0;
}

/* ---- the host ---- */

libxl_xen_console_reader *libxl_xen_console_read_start(libxl_ctx *ctx, int clear)
{
    (void)ctx; (void)clear;
    return fault_for("dmesg", NULL) == FAULT_FAIL ? NULL : calloc(1, sizeof(int));
}

int libxl_xen_console_read_line(libxl_ctx *ctx, libxl_xen_console_reader *reader, char **line)
{
    static char *const LINES[] = { "(XEN) Xen version 4.17.7 (Debian 4.17.7)\n", "(XEN) Command line: placeholder\n" };
    int *next = (int *)reader;
    (void)ctx;
    if (*next == 2) return 0;
    *line = LINES[(*next)++];
    return 1;
}

void libxl_xen_console_read_finish(libxl_ctx *ctx, libxl_xen_console_reader *reader) { (void)ctx; free(reader); }

const libxl_version_info *libxl_get_version_info(libxl_ctx *ctx)
{
    static libxl_version_info version = {
        .xen_version_major = 4, .xen_version_minor = 17, .xen_version_extra = ".7", .commandline = "dom0_mem=750M",
        .capabilities = "xen-3.0-x86_64 hvm-3.0-x86_64 ", .changeset = "", .compiler = "", .compile_by = "",
        .compile_domain = "", .compile_date = "", .build_id = "", .pagesize = 4096,
    };
    (void)ctx;
    return &version;
}

int libxl_get_physinfo(libxl_ctx *ctx, libxl_physinfo *info)
{
    (void)ctx;
    libxl_physinfo_init(info);
    info->nr_cpus = 4;
    info->nr_nodes = 1;
    info->cap_hvm = info->cap_pv = true;
    info->total_pages = 1 << 20;
    info->free_pages = 1 << 19;
    return 0;
}

int libxl_get_max_cpus(libxl_ctx *ctx) { (void)ctx; return 64; }
int libxl_get_online_cpus(libxl_ctx *ctx) { (void)ctx; return 4; }

int libxl_domain_need_memory(libxl_ctx *ctx, libxl_domain_config *config, uint32_t domid, uint64_t *need_kb)
{
    (void)ctx; (void)config; (void)domid;
    *need_kb = 0;
    return 0;
}

int libxl_get_free_memory(libxl_ctx *ctx, uint64_t *free_kb)
{
    (void)ctx;
    *free_kb = 1 << 30;
    return 0;
}

int libxl_cpu_bitmap_alloc(libxl_ctx *ctx, libxl_bitmap *bitmap, int cpus) { (void)cpus; return libxl_bitmap_alloc(ctx, bitmap, 64); }
int libxl_node_bitmap_alloc(libxl_ctx *ctx, libxl_bitmap *bitmap, int nodes) { (void)nodes; return libxl_bitmap_alloc(ctx, bitmap, 64); }

/* ---- helpers whose true versions log through the context ---- */

int libxl_fd_set_cloexec(libxl_ctx *ctx, int fd, int cloexec) { (void)ctx; (void)fd; (void)cloexec; return 0; }

int libxl_read_file_contents(libxl_ctx *ctx, const char *name, void **data, int *length)
{
    (void)ctx;
    FILE *file = fopen(name, "r");
    if (!file) return errno;
    char *text = calloc(1, 1 << 20);
    *length = fread(text, 1, (1 << 20) - 1, file);
    *data = text;
    fclose(file);
    return 0;
}

int libxl_read_exactly(libxl_ctx *ctx, int fd, void *data, ssize_t size, const char *source, const char *what)
{
    (void)ctx;
    for (ssize_t done = 0; done < size;) {
        ssize_t got = read(fd, (char *)data + done, size - done);
        if (got <= 0) {
            fprintf(stderr, "libxl: error: libxl_utils.c:507:libxl_read_exactly: file/stream truncated reading %s from %s\n", what, source);
            return EPROTO;
        }
        done += got;
    }
    return 0;
}

int libxl_write_exactly(libxl_ctx *ctx, int fd, const void *data, ssize_t size, const char *source, const char *what)
{
    (void)ctx; (void)source; (void)what;
    for (ssize_t done = 0; done < size;) {
        ssize_t put = write(fd, (const char *)data + done, size - done);
        if (put < 0) return errno;
        done += put;
    }
    return 0;
}

void libxl_report_child_exitstatus(libxl_ctx *ctx, xentoollog_level level, const char *what, pid_t pid, int status)
{
    (void)ctx; (void)level;
    fprintf(stderr, "libxl: error: libxl_exec.c:117:libxl_report_child_exitstatus: %s [%d] exited with error status %d\n", what, (int)pid, status);
}
