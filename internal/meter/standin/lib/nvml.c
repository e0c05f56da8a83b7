/*
 * A libnvidia-ml.so.1 for hosts without a GPU. It answers what llem and the other programs
 * of its tests ask of NVML, from the shared file that standin.h describes.
 *
 *     cc -shared -fPIC -O2 -o libnvidia-ml.so.1 nvml.c
 *
 * -DSTANDIN_OLD leaves out the symbols that drivers before R470 lack.
 *
 * LLEM_STANDIN      the shared file; without it, NVML finds no driver
 * LLEM_STANDIN_LOG  if set, a line is appended to this file for every call:
 *                   nanoseconds of CLOCK_MONOTONIC, pid, function, GPU or -1, result, fields
 */
#define _GNU_SOURCE
#include "read.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SUCCESS = 0,
    UNINITIALIZED = 1,
    INVALID_ARGUMENT = 2,
    NOT_SUPPORTED = 3,
    NO_PERMISSION = 4,
    NOT_FOUND = 6,
    INSUFFICIENT_SIZE = 7,
    DRIVER_NOT_LOADED = 9,
    GPU_IS_LOST = 15,
    VERSION_MISMATCH = 25,
    UNKNOWN = 999,
};

/* The types of nvml.h that cross this interface. */
typedef struct { int index; } *device;
typedef struct { char legacy[16]; unsigned domain, bus, device, id, subsystem; char bus_id[32]; } pci_info;
typedef struct { unsigned long long total, free, used; } memory;
typedef struct { unsigned version; unsigned long long total, reserved, free, used; } memory_v2;
typedef struct { unsigned gpu, memory; } utilization;
typedef struct { unsigned pid; unsigned long long memory; unsigned gpu_instance, compute_instance; } process;
typedef struct { unsigned version, sensor; int temperature; } temperature_v1;
typedef struct {
    unsigned id, scope;
    long long timestamp_us, latency_us;
    unsigned type, result;
    union { unsigned u; unsigned long long ull; } value;
} field_value;
enum { TYPE_UNSIGNED = 1, TYPE_UNSIGNED_LONG_LONG = 3 };

static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;
static int init_count;
static int log_fd = -1;
static int writable; /* the shared file, by the settings that NVML can change */
static struct { int index; } handles[STANDIN_GPUS];

/* ---- what every call does ------------------------------------------------ */

static void log_call(const char *function, int gpu, int result, const char *note)
{
    char line[256];
    if (log_fd < 0)
        return;
    int n = snprintf(line, sizeof line, "%lld %d %s %d %d %s\n", (long long)clock_ns(CLOCK_MONOTONIC),
                     (int)getpid(), function, gpu, result, note);
    if (n > 0 && n < (int)sizeof line && write(log_fd, line, (size_t)n) < 0)
        return; /* a full disk must not change what the caller sees */
}

static int enter(const char *function, int gpu)
{
    if (!file)
        return UNINITIALIZED;
    int result = gpu >= (int)file->gpus || gpu < -1 ? INVALID_ARGUMENT : failure(function, gpu);
    log_call(function, gpu, result, "");
    return result;
}

static int enter_device(const char *function, device d)
{
    for (int i = 0; i < STANDIN_GPUS; i++)
        if ((void *)d == (void *)&handles[i])
            return enter(function, i);
    return file ? INVALID_ARGUMENT : UNINITIALIZED;
}

#define SYSTEM()                                     \
    do {                                             \
        int result_ = enter(__func__, -1);           \
        if (result_ != SUCCESS)                      \
            return result_;                          \
    } while (0)

static void call_ends(const int64_t *left_ns) { rest(*left_ns); }

/* Defines g, the GPU of d, or returns. The call takes as long as the GPU's calls do, some
 * of it after what it gives has been read. */
#define DEVICE(d)                                    \
    int result_ = enter_device(__func__, d);         \
    if (result_ != SUCCESS)                          \
        return result_;                              \
    const struct standin_gpu *g = &file->gpu[(d)->index]; \
    __attribute__((cleanup(call_ends))) int64_t left_ = call_begins(g); \
    (void)g

static int give_text(char *to, unsigned length, const char *text)
{
    if (!to)
        return INVALID_ARGUMENT;
    if (strlen(text) + 1 > length)
        return INSUFFICIENT_SIZE;
    strcpy(to, text);
    return SUCCESS;
}

#define GIVE(to, what)                               \
    do {                                             \
        if (!(to))                                   \
            return INVALID_ARGUMENT;                 \
        *(to) = (what);                              \
        return SUCCESS;                              \
    } while (0)

/* ---- library and system -------------------------------------------------- */

static int attach(void)
{
    const char *path = getenv("LLEM_STANDIN"), *log = getenv("LLEM_STANDIN_LOG");
    if (!path || !*path)
        return DRIVER_NOT_LOADED;
    int prot = PROT_READ | PROT_WRITE, fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        prot = PROT_READ;
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fd < 0)
        return DRIVER_NOT_LOADED;
    writable = prot != PROT_READ;
    struct stat st;
    void *p = MAP_FAILED;
    if (fstat(fd, &st) == 0 && st.st_size == sizeof(struct standin_file))
        p = mmap(NULL, sizeof(struct standin_file), prot, MAP_SHARED, fd, 0);
    close(fd);
    if (p == MAP_FAILED)
        return UNKNOWN;
    if (((struct standin_file *)p)->magic != STANDIN_MAGIC) {
        munmap(p, sizeof(struct standin_file));
        return UNKNOWN;
    }
    file = p;
    for (int i = 0; i < STANDIN_GPUS; i++)
        handles[i].index = i;
    if (log && *log)
        log_fd = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    return SUCCESS;
}

static void detach(void)
{
    munmap(file, sizeof(struct standin_file));
    file = NULL;
    if (log_fd >= 0)
        close(log_fd);
    log_fd = -1;
}

static int init(const char *function)
{
    pthread_mutex_lock(&init_lock);
    int result = init_count ? SUCCESS : attach();
    if (result == SUCCESS) {
        result = enter(function, -1);
        if (result == SUCCESS)
            init_count++;
        else if (!init_count)
            detach();
    }
    pthread_mutex_unlock(&init_lock);
    return result;
}

int nvmlInit_v2(void) { return init(__func__); }
int nvmlInitWithFlags(unsigned flags) { (void)flags; return init(__func__); }

int nvmlShutdown(void)
{
    pthread_mutex_lock(&init_lock);
    int result = init_count ? enter(__func__, -1) : UNINITIALIZED;
    if (result == SUCCESS && --init_count == 0)
        detach();
    pthread_mutex_unlock(&init_lock);
    return result;
}

const char *nvmlErrorString(int result)
{
    switch (result) {
    case SUCCESS: return "The operation was successful";
    case UNINITIALIZED: return "Uninitialized";
    case INVALID_ARGUMENT: return "Invalid Argument";
    case NOT_SUPPORTED: return "Not Supported";
    case NO_PERMISSION: return "Insufficient Permissions";
    case NOT_FOUND: return "Not Found";
    case INSUFFICIENT_SIZE: return "Insufficient Size";
    case DRIVER_NOT_LOADED: return "Driver Not Loaded";
    case GPU_IS_LOST: return "GPU is lost";
    case 18: return "Driver/library version mismatch";
    case VERSION_MISMATCH: return "Argument version mismatch";
    default: return "Unknown Error";
    }
}

int nvmlSystemGetDriverVersion(char *v, unsigned n) { SYSTEM(); return give_text(v, n, file->driver); }
int nvmlSystemGetNVMLVersion(char *v, unsigned n) { SYSTEM(); return give_text(v, n, "12.stand-in"); }
int nvmlSystemGetCudaDriverVersion(int *v) { SYSTEM(); GIVE(v, (int)file->cuda); }
#ifndef STANDIN_OLD
int nvmlSystemGetCudaDriverVersion_v2(int *v) { SYSTEM(); GIVE(v, (int)file->cuda); }
#endif

/* ---- finding devices ------------------------------------------------------ */

int nvmlDeviceGetCount_v2(unsigned *n) { SYSTEM(); GIVE(n, file->gpus); }

static int handle(const char *function, unsigned i, device *d)
{
    int result = enter(function, i < STANDIN_GPUS ? (int)i : STANDIN_GPUS);
    if (result == SUCCESS)
        *d = (device)&handles[i];
    return result;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned i, device *d) { return d ? handle(__func__, i, d) : INVALID_ARGUMENT; }

int nvmlDeviceGetHandleByUUID(const char *uuid, device *d)
{
    for (unsigned i = 0; file && uuid && d && i < file->gpus; i++)
        if (!strcmp(file->gpu[i].uuid, uuid))
            return handle(__func__, i, d);
    return file ? NOT_FOUND : UNINITIALIZED;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *id, device *d)
{
    for (unsigned i = 0; file && id && d && i < file->gpus; i++)
        if (!strcasecmp(file->gpu[i].bus_id, id) || !strcasecmp(file->gpu[i].bus_id + 4, id))
            return handle(__func__, i, d);
    return file ? NOT_FOUND : UNINITIALIZED;
}

/* ---- what a device is ------------------------------------------------------ */

int nvmlDeviceGetIndex(device d, unsigned *i) { DEVICE(d); GIVE(i, (unsigned)d->index); }
int nvmlDeviceGetMinorNumber(device d, unsigned *i) { DEVICE(d); GIVE(i, (unsigned)d->index); }
int nvmlDeviceGetUUID(device d, char *v, unsigned n) { DEVICE(d); return give_text(v, n, g->uuid); }
int nvmlDeviceGetName(device d, char *v, unsigned n) { DEVICE(d); return give_text(v, n, g->name); }
int nvmlDeviceGetVbiosVersion(device d, char *v, unsigned n) { DEVICE(d); return give_text(v, n, g->vbios); }
int nvmlDeviceGetArchitecture(device d, unsigned *a) { DEVICE(d); GIVE(a, g->architecture); }

int nvmlDeviceGetCudaComputeCapability(device d, int *major, int *minor)
{
    DEVICE(d);
    if (!major)
        return INVALID_ARGUMENT;
    if (!g->cc_major)
        return NOT_SUPPORTED;
    *major = (int)g->cc_major;
    GIVE(minor, (int)g->cc_minor);
}

int nvmlDeviceGetPciInfo_v3(device d, pci_info *p)
{
    DEVICE(d);
    if (!p)
        return INVALID_ARGUMENT;
    memset(p, 0, sizeof *p);
    sscanf(g->bus_id, "%x:%x:%x", &p->domain, &p->bus, &p->device);
    snprintf(p->bus_id, sizeof p->bus_id, "%s", g->bus_id);
    snprintf(p->legacy, sizeof p->legacy, "%.12s", g->bus_id + 4);
    p->id = 0x000010de; /* NVIDIA's vendor number, no device of theirs */
    return SUCCESS;
}

int nvmlDeviceGetMaxPcieLinkGeneration(device d, unsigned *v) { DEVICE(d); GIVE(v, g->pcie_gen); }
int nvmlDeviceGetCurrPcieLinkGeneration(device d, unsigned *v) { DEVICE(d); GIVE(v, g->pcie_gen); }
int nvmlDeviceGetMaxPcieLinkWidth(device d, unsigned *v) { DEVICE(d); GIVE(v, g->pcie_width); }
int nvmlDeviceGetCurrPcieLinkWidth(device d, unsigned *v) { DEVICE(d); GIVE(v, g->pcie_width); }
int nvmlDeviceGetPersistenceMode(device d, unsigned *v) { DEVICE(d); GIVE(v, g->persistence); }
int nvmlDeviceIsMigDeviceHandle(device d, unsigned *v) { DEVICE(d); GIVE(v, 0); }

#ifndef STANDIN_OLD
int nvmlDeviceGetMigMode(device d, unsigned *current, unsigned *pending)
{
    DEVICE(d);
    if (!current)
        return INVALID_ARGUMENT;
    *current = g->mig;
    GIVE(pending, g->mig);
}
#endif

int nvmlDeviceGetEnforcedPowerLimit(device d, unsigned *v) { DEVICE(d); GIVE(v, g->limit_mw); }
int nvmlDeviceGetPowerManagementLimit(device d, unsigned *v) { DEVICE(d); GIVE(v, g->limit_mw); }
int nvmlDeviceGetPowerManagementDefaultLimit(device d, unsigned *v) { DEVICE(d); GIVE(v, g->default_limit_mw); }

int nvmlDeviceGetPowerManagementLimitConstraints(device d, unsigned *low, unsigned *high)
{
    DEVICE(d);
    if (!low)
        return INVALID_ARGUMENT;
    *low = g->default_limit_mw / 2;
    GIVE(high, g->default_limit_mw);
}

int nvmlDeviceGetComputeMode(device d, unsigned *v) { DEVICE(d); GIVE(v, 0); }

/* ---- settings, which need root as the driver's do --------------------------- */

int nvmlDeviceSetPowerManagementLimit(device d, unsigned mw)
{
    DEVICE(d);
    if (!writable || geteuid() != 0)
        return NO_PERMISSION;
    if (mw < g->default_limit_mw / 2 || mw > g->default_limit_mw)
        return INVALID_ARGUMENT;
    file->gpu[d->index].limit_mw = mw;
    return SUCCESS;
}

int nvmlDeviceSetGpuLockedClocks(device d, unsigned low, unsigned high)
{
    DEVICE(d);
    if (!writable || geteuid() != 0)
        return NO_PERMISSION;
    if (low > high || high > g->sm_max_mhz)
        return INVALID_ARGUMENT;
    file->gpu[d->index].locked_mhz = high;
    return SUCCESS;
}

int nvmlDeviceResetGpuLockedClocks(device d)
{
    DEVICE(d);
    if (!writable || geteuid() != 0)
        return NO_PERMISSION;
    file->gpu[d->index].locked_mhz = 0;
    return SUCCESS;
}

/* Clocks: 0 graphics, 1 SM, 2 memory, 3 video. */
int nvmlDeviceGetClockInfo(device d, unsigned clock, unsigned *v) { DEVICE(d); GIVE(v, clock == 2 ? g->memory_mhz : g->locked_mhz ? g->locked_mhz : g->sm_mhz); }
int nvmlDeviceGetMaxClockInfo(device d, unsigned clock, unsigned *v) { DEVICE(d); GIVE(v, clock == 2 ? g->memory_mhz : g->sm_max_mhz); }

/* ---- what it does now ------------------------------------------------------ */

int nvmlDeviceGetTotalEnergyConsumption(device d, unsigned long long *mj)
{
    DEVICE(d);
    struct reading r = read_power(g);
    if (g->sensor.absent & STANDIN_NO_COUNTER)
        return NOT_SUPPORTED;
    if (!r.counting)
        return UNKNOWN;
    GIVE(mj, r.counter_mj);
}

int nvmlDeviceGetPowerUsage(device d, unsigned *mw)
{
    DEVICE(d);
    if (g->sensor.absent & STANDIN_NO_USAGE)
        return NOT_SUPPORTED;
    GIVE(mw, read_power(g).average_mw);
}

int nvmlDeviceGetTemperature(device d, unsigned sensor, unsigned *v)
{
    DEVICE(d);
    if (sensor != 0)
        return INVALID_ARGUMENT;
    GIVE(v, g->temperature);
}

int nvmlDeviceGetUtilizationRates(device d, utilization *u)
{
    DEVICE(d);
    if (!u)
        return INVALID_ARGUMENT;
    u->gpu = u->memory = g->utilisation;
    return SUCCESS;
}

int nvmlDeviceGetMemoryInfo(device d, memory *m)
{
    DEVICE(d);
    if (!m)
        return INVALID_ARGUMENT;
    m->total = g->memory_total;
    m->used = g->memory_used + g->memory_reserved;
    m->free = m->total - m->used;
    return SUCCESS;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(device d, unsigned long long *v) { DEVICE(d); GIVE(v, g->throttle); }

#ifndef STANDIN_OLD
int nvmlDeviceGetCurrentClocksEventReasons(device d, unsigned long long *v) { DEVICE(d); GIVE(v, g->throttle); }

int nvmlDeviceGetMemoryInfo_v2(device d, memory_v2 *m)
{
    DEVICE(d);
    if (!m)
        return INVALID_ARGUMENT;
    if (m->version != (sizeof *m | 2u << 24))
        return VERSION_MISMATCH;
    m->total = g->memory_total;
    m->reserved = g->memory_reserved;
    m->used = g->memory_used;
    m->free = m->total - m->used - m->reserved;
    return SUCCESS;
}

int nvmlDeviceGetTemperatureV(device d, temperature_v1 *t)
{
    DEVICE(d);
    if (!t || t->sensor != 0)
        return INVALID_ARGUMENT;
    if (t->version != (sizeof *t | 1u << 24))
        return VERSION_MISMATCH;
    t->temperature = (int)g->temperature;
    return SUCCESS;
}
#endif

/* The time that a reason has held. */
static uint64_t throttled_ns(const struct standin_gpu *g, int k)
{
    static const uint64_t reasons[] = {0x4, 0x60, 0x20, 0x40, 0x80};
    uint64_t seq, ns;
    do {
        seq = read_begin(g);
        ns = g->throttle_ns[k];
        if (g->throttle & reasons[k])
            ns += (uint64_t)(clock_ns(CLOCK_MONOTONIC) - g->throttle_since_ns);
    } while (read_again(g, seq));
    return ns;
}

/* The fields that sensors give, or NOT_FOUND. */
static unsigned give_sensor(const struct standin_gpu *g, field_value *f)
{
    struct reading r = read_power(g);
    switch (f->id) {
    case 83: /* the two names of the energy counter */
    case 191:
        f->type = TYPE_UNSIGNED_LONG_LONG;
        f->value.ull = r.counter_mj;
        f->timestamp_us = stamp_us(g, r.counter_ns);
        return g->sensor.absent & STANDIN_NO_COUNTER ? NOT_SUPPORTED : r.counting ? SUCCESS : UNKNOWN;
    case 185:
        f->value.u = r.average_mw;
        f->timestamp_us = stamp_us(g, r.power_ns);
        return g->sensor.absent & STANDIN_NO_AVERAGE ? NOT_SUPPORTED : SUCCESS;
    case 186:
        f->value.u = r.instant_mw;
        f->timestamp_us = stamp_us(g, r.power_ns);
        return g->sensor.absent & STANDIN_NO_INSTANT ? NOT_SUPPORTED : SUCCESS;
    }
    return NOT_FOUND;
}

static void give_field(const struct standin_gpu *g, int gpu, field_value *f)
{
    char name[24];
    snprintf(name, sizeof name, "field:%u", f->id);
    f->timestamp_us = clock_ns(CLOCK_REALTIME) / 1000;
    f->latency_us = 0;
    f->result = (unsigned)failure(name, gpu);
    if (f->result != SUCCESS)
        return;
    f->type = TYPE_UNSIGNED;
    f->result = give_sensor(g, f);
    if (f->result != NOT_FOUND)
        return;
    f->result = SUCCESS;
    switch (f->id) {
    case 74:
    case 75:
        f->type = TYPE_UNSIGNED_LONG_LONG;
        f->value.ull = throttled_ns(g, (int)f->id - 74);
        break;
#ifndef STANDIN_OLD
    case 269:
    case 270:
    case 271:
        f->type = TYPE_UNSIGNED_LONG_LONG;
        f->value.ull = throttled_ns(g, (int)f->id - 267);
        break;
#endif
    case 187: f->value.u = g->default_limit_mw / 2; break;
    case 188: case 189: f->value.u = g->default_limit_mw; break;
    case 190: case 192: f->value.u = g->limit_mw; break;
    default: f->result = NOT_SUPPORTED;
    }
}

int nvmlDeviceGetFieldValues(device d, int n, field_value *values)
{
    char note[128] = "";
    for (int i = 0, used = 0; values && i < n && used < (int)sizeof note; i++)
        used += snprintf(note + used, sizeof note - (size_t)used, "%s%u", i ? "," : "", values[i].id);
    int gpu = -1, result = file ? INVALID_ARGUMENT : UNINITIALIZED;
    for (int i = 0; file && i < (int)file->gpus; i++)
        if ((void *)d == (void *)&handles[i])
            gpu = i;
    if (gpu >= 0 && values && n > 0)
        result = failure(__func__, gpu);
    log_call(__func__, gpu, result, note);
    int64_t left = result == SUCCESS ? call_begins(&file->gpu[gpu]) : 0;
    for (int i = 0; result == SUCCESS && i < n; i++)
        give_field(&file->gpu[gpu], gpu, &values[i]);
    rest(left);
    return result;
}

static int give_processes(const struct standin_gpu *g, unsigned graphics, unsigned *n, process *out)
{
    unsigned room, found;
    uint64_t seq;
    if (!n)
        return INVALID_ARGUMENT;
    room = *n;
    do {
        seq = read_begin(g);
        found = 0;
        for (unsigned i = 0; i < g->processes && i < STANDIN_PROCS; i++) {
            if (g->process[i].graphics != graphics)
                continue;
            if (found < room && out) {
                process p = {g->process[i].pid, g->process[i].memory, ~0u, ~0u};
                out[found] = p;
            }
            found++;
        }
    } while (read_again(g, seq));
    *n = found;
    return found > room ? INSUFFICIENT_SIZE : SUCCESS;
}

/* v2 and v3 have the same structure. */
int nvmlDeviceGetComputeRunningProcesses_v2(device d, unsigned *n, process *p) { DEVICE(d); return give_processes(g, 0, n, p); }
int nvmlDeviceGetGraphicsRunningProcesses_v2(device d, unsigned *n, process *p) { DEVICE(d); return give_processes(g, 1, n, p); }
#ifndef STANDIN_OLD
int nvmlDeviceGetComputeRunningProcesses_v3(device d, unsigned *n, process *p) { DEVICE(d); return give_processes(g, 0, n, p); }
int nvmlDeviceGetGraphicsRunningProcesses_v3(device d, unsigned *n, process *p) { DEVICE(d); return give_processes(g, 1, n, p); }
int nvmlDeviceGetMPSComputeRunningProcesses_v3(device d, unsigned *n, process *p) { DEVICE(d); (void)p; GIVE(n, 0); }
#endif
