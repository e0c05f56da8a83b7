/*
 * The file that a stand-in's processes share (environment: LLEM_STANDIN).
 *
 * One header, then eight GPUs of which header.gpus are there. Little-endian, natural
 * alignment, no pointers; layout.go says the same in Go, and both sides check sizes and
 * offsets. All times are nanoseconds of CLOCK_MONOTONIC, which every process and every
 * container of a host shares.
 *
 * Power is a step function of time. A change appends {when, power from then on, exact
 * energy up to then} to the ring of its GPU, so the energy up to any instant is
 *
 *     energy_nj + power_mw * (t - at_ns) / 1000        of the last change at or before t
 *
 * and whoever reads it gets the same number. The driver's counter shows that number as it
 * was at its last tick, phase_ns + k * refresh_ns. The ring holds many changes, because
 * that tick may lie before the last one.
 *
 * Writers hold flock on the file. seq is odd while they write, from before they look at
 * the clock: a reader who looks at the clock first and then finds seq even misses no change
 * that lies before its own instant, so the counter never goes backwards by accident.
 */
#ifndef LLEM_STANDIN_H
#define LLEM_STANDIN_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#define STANDIN_MAGIC 0x314e5453454d4c4cULL /* "LLEMSTN1" */
#define STANDIN_GPUS 8
#define STANDIN_RING 8192
#define STANDIN_PROCS 32
#define STANDIN_FAILURES 64

struct standin_change {
    int64_t at_ns;
    uint64_t power_mw;  /* from at_ns on */
    uint64_t energy_nj; /* up to at_ns */
};

struct standin_process {
    uint32_t pid;
    uint32_t graphics; /* 1: listed as graphics, else as compute */
    uint64_t memory;   /* bytes */
};

struct standin_failure {
    char name[56]; /* function as exported, "field:ID", or "*" for all calls on the GPU */
    int32_t gpu;   /* -1: calls that belong to no GPU */
    int32_t code;  /* 0: row not used */
};

struct standin_gpu {
    char uuid[96];
    char name[96];
    char vbios[32];
    char bus_id[32];
    uint64_t memory_total;
    uint64_t memory_reserved; /* counted as used by nvmlDeviceGetMemoryInfo, apart by _v2 */
    uint64_t memory_used;     /* without the reserved part */
    uint64_t throttle;
    int64_t refresh_ns;
    int64_t phase_ns;
    int64_t average_ns; /* window of usage and average power; 0: as instant power */
    int64_t base_mj;    /* added to the counter; below zero after a reset */
    uint32_t temperature;
    uint32_t persistence;
    uint32_t utilisation;
    uint32_t mig;
    uint32_t cc_major;
    uint32_t cc_minor;
    uint32_t architecture;
    uint32_t limit_mw;
    uint32_t default_limit_mw;
    uint32_t sm_mhz;
    uint32_t sm_max_mhz;
    uint32_t memory_mhz;
    uint32_t pcie_gen;
    uint32_t pcie_width;
    uint32_t processes;
    uint32_t locked_mhz; /* the SM clock; 0: not locked */
    struct standin_process process[STANDIN_PROCS];
    uint64_t throttle_ns[5]; /* that the reasons of fields 74, 75, 269, 270, 271 have held until throttle_since_ns */
    int64_t throttle_since_ns;
    uint64_t seq;
    uint64_t changes; /* ever; the last one is ring[(changes - 1) % STANDIN_RING] */
    struct standin_change ring[STANDIN_RING];
};

struct standin_file {
    uint64_t magic;
    uint32_t gpus;
    uint32_t cuda; /* 12040 is 12.4 */
    char driver[80];
    struct standin_failure failure[STANDIN_FAILURES];
    struct standin_gpu gpu[STANDIN_GPUS];
};

static_assert(sizeof(struct standin_failure) == 64, "layout.go says otherwise");
static_assert(offsetof(struct standin_gpu, process) == 384, "layout.go says otherwise");
static_assert(offsetof(struct standin_gpu, ring) == 960, "layout.go says otherwise");
static_assert(sizeof(struct standin_gpu) == 197568, "layout.go says otherwise");
static_assert(sizeof(struct standin_file) == 1584736, "layout.go says otherwise");

#endif
