/*
 * A hypervisor for Xen's own xenstored, which asks one for little: whether a domain is there (each is), and for the
 * ring and the event channel by which domain 0's kernel would speak to it (nobody does). Clients use its socket.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xenctrl.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#define PAGE 4096
#define KERNELS_FILES "/proc/xen/"
#define SOME_PORT 2

static int handle;
static int events[2];

xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *build, unsigned flags)
{
    (void)logger; (void)build; (void)flags;
    return (xc_interface *)&handle;
}

int xc_interface_close(xc_interface *xch) { (void)xch; return 0; }

int xc_domain_getinfo(xc_interface *xch, uint32_t first, unsigned int most, xc_dominfo_t *info)
{
    (void)xch; (void)most;
    memset(info, 0, sizeof(*info));
    info->domid = first;
    return 1;
}

xengnttab_handle *xengnttab_open(xentoollog_logger *logger, unsigned flags)
{
    (void)logger; (void)flags;
    return (xengnttab_handle *)&handle;
}

int xengnttab_close(xengnttab_handle *xgt) { (void)xgt; return 0; }
int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t count) { (void)xgt; (void)count; return 0; }
int xengnttab_unmap(xengnttab_handle *xgt, void *start, uint32_t count) { (void)xgt; return munmap(start, count * PAGE); }

void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    (void)xgt; (void)domid; (void)ref;
    return mmap(NULL, PAGE, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

xenevtchn_handle *xenevtchn_open(xentoollog_logger *logger, unsigned flags)
{
    (void)logger; (void)flags;
    return pipe(events) ? NULL : (xenevtchn_handle *)events;
}

int xenevtchn_close(xenevtchn_handle *xce) { (void)xce; return 0; }
int xenevtchn_fd(xenevtchn_handle *xce) { (void)xce; return events[0]; }
int xenevtchn_notify(xenevtchn_handle *xce, evtchn_port_t port) { (void)xce; (void)port; return 0; }
int xenevtchn_unbind(xenevtchn_handle *xce, evtchn_port_t port) { (void)xce; (void)port; return 0; }
xenevtchn_port_or_error_t xenevtchn_bind_virq(xenevtchn_handle *xce, unsigned virq) { (void)xce; (void)virq; return SOME_PORT; }

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *xce, uint32_t domid, evtchn_port_t port)
{
    (void)xce; (void)domid;
    return port;
}

/* The kernel's files tell a port, and hold the ring. */
int open(const char *path, int flags, ...)
{
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    va_list arguments;
    va_start(arguments, flags);
    int mode = va_arg(arguments, int);
    va_end(arguments);
    if (strncmp(path, KERNELS_FILES, sizeof(KERNELS_FILES) - 1)) return real(path, flags, mode);
    int fd = memfd_create("xen", 0);
    if (fd < 0 || write(fd, "2", 1) != 1 || lseek(fd, 0, SEEK_SET) || ftruncate(fd, PAGE)) return -1;
    return fd;
}
