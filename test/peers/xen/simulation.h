/*
 * A simulated Xen host behind the libxl interface, for the real xl program.
 *
 * Everything lives in the folder that $XEN_SIMULATION names:
 *   domains        a line a domain, fields separated by tabs (see struct domain)
 *   next-domid     the number that the next domain gets; Xen never gives one twice in a boot
 *   config.DOMID   the domain's configuration as libxl's JSON
 *   faults         CALL NAME|* WHAT [ARGUMENT] a line; read at each call
 *   violations     what no client may ever do, a line each; a test expects it absent
 *   monitors       process ids of the daemons that `xl create` leaves behind
 *   owner          the process id of the test; the daemons end with it
 */
#ifndef SIMULATION_H
#define SIMULATION_H

#include <stdbool.h>
#include <stdint.h>

#include <libxl.h>
#include <libxl_event.h>
#include <libxl_utils.h>

#define MAX_DOMAINS 512
#define NAME_BYTES 256

enum pending { PENDING_NONE, PENDING_POWEROFF, PENDING_REBOOT };

struct domain {
    uint32_t domid;
    bool paused, shutdown, dying;
    libxl_shutdown_reason reason;
    libxl_domain_type type;
    unsigned long memory_mb;
    int vcpus;
    uint64_t cpu_ns;
    uint32_t started; /* seconds since 1970 */
    libxl_uuid uuid;
    bool stubborn;    /* the guest ignores requests to shut down or reboot */
    bool pv_drivers;  /* an HVM guest that reads xenstore */
    bool zombie;      /* has lost its name and never goes */
    enum pending pending;
    char name[NAME_BYTES];
};

/* Takes the lock, reads all domains and lets guests do what was asked of them. */
void world_enter(void);
/* Writes the domains back where `changed`, and gives the lock up. */
void world_leave(bool changed);
struct domain *domain_by_id(uint32_t domid);
struct domain *domain_by_name(const char *name);
/* NULL when there are too many. */
struct domain *domain_add(void);
void domain_remove(struct domain *domain);
int domain_count(void);
struct domain *domain_at(int index);
uint32_t next_domid(void);

/* A file of the simulation's folder; static buffer. */
const char *world_path(const char *file);
/* Whether the folder and the test that made it are still there. */
bool world_alive(void);
void append_line(const char *file, const char *format, ...) __attribute__((format(printf, 2, 3)));

enum fault { FAULT_NONE, FAULT_FAIL, FAULT_IGNORE };
/* Looks the call up in `faults`; delays and hangs happen inside. */
enum fault fault_for(const char *call, const char *name);
/* Writes down an attempt on domain 0. */
void guard_domain_0(const char *call, uint32_t domid);

/* A line as libxl logs it on stderr. */
void log_error(const char *where, uint32_t domid, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
