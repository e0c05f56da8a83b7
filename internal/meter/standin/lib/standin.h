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
 * Changes may lie in the future: a load that is known beforehand is written down at once, and
 * becomes true as time passes. A later writer drops what has not come true yet.
 *
 * What sensors make of that power is sensor.h's. All zero, they see it as it is.
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

#define STANDIN_MAGIC 0x324e5453454d4c4cULL /* "LLEMSTN2" */
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

/* How the sensors of a GPU see its power. ppm is millionths. */
struct standin_sensor {
    int64_t power_refresh_ns;   /* of powers; 0: at the ticks of the counter */
    int64_t power_phase_ns;     /* of powers, where they have ticks of their own */
    int64_t look_ppm;           /* part of a refresh that is looked at; 0: powers see the tick alone, the counter all */
    int64_t look_at_ppm;        /* part of the refresh that passes before the look */
    int64_t shared;             /* 1: the counter adds up looks, each times the length of its refresh */
    int64_t counter_delay_ns;   /* from a tick until it shows */
    int64_t power_delay_ns;
    int64_t jitter_ns;          /* standard deviation of ticks about their grid, at most 0.45 of a refresh */
    int64_t wander_ns;          /* ticks move to and fro by so much, slowly */
    int64_t wander_period_ns;
    int64_t lag_ns;             /* powers follow by an exponential of this time constant */
    int64_t stuck_mw;           /* powers are this and never move; 0: they move */
    int64_t step_mj;            /* the counter moves in such steps; 0: of 1 mJ */
    int64_t gain_ppm;           /* of the counter; 0: 1,000,000 */
    int64_t stamp;              /* STANDIN_STAMP_… */
    int64_t latency_ns;         /* of each call on the GPU, at least */
    int64_t latency_random_ns;  /* and at most so much more */
    int64_t fault;              /* of the counter: STANDIN_FAULT_… */
    int64_t fault_at_ns;
    int64_t fault_until_ns;     /* STANDS alone; 0: for ever */
    int64_t fault_mj;           /* JUMPS alone */
    int64_t absent;             /* STANDIN_NO_… */
    int64_t seed;               /* of jitter */
};

enum { STANDIN_STAMP_CALL, STANDIN_STAMP_TICK, STANDIN_STAMP_NONE };
enum {
    STANDIN_FAULT_NONE,
    STANDIN_FAULT_SILENT, /* fails with NVML_ERROR_UNKNOWN until fault_at_ns */
    STANDIN_FAULT_ZERO,   /* reads 0 until fault_at_ns */
    STANDIN_FAULT_RESETS, /* begins at 0 at fault_at_ns */
    STANDIN_FAULT_STANDS, /* does not move from fault_at_ns on */
    STANDIN_FAULT_JUMPS,  /* by fault_mj at fault_at_ns */
    STANDIN_FAULT_FROZEN, /* does not move until fault_at_ns, and then shows all that it has counted */
};
enum { STANDIN_NO_COUNTER = 1, STANDIN_NO_INSTANT = 2, STANDIN_NO_AVERAGE = 4, STANDIN_NO_USAGE = 8 };

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
    uint32_t cc_major; /* 0: not known */
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
    struct standin_sensor sensor;
    uint64_t seq;
    uint64_t changes; /* ever, and to come; the last one is ring[(changes - 1) % STANDIN_RING] */
    uint64_t oldest;  /* number of the oldest one that the ring has */
    struct standin_change ring[STANDIN_RING];
};

struct standin_file {
    uint64_t magic;
    uint32_t gpus;
    uint32_t cuda; /* 12040 is 12.4 */
    char driver[80];
    int64_t still_ns; /* for tests: the clock stands here, and calls take no time; 0: it runs */
    struct standin_failure failure[STANDIN_FAILURES];
    struct standin_gpu gpu[STANDIN_GPUS];
};

static_assert(sizeof(struct standin_failure) == 64, "layout.go says otherwise");
static_assert(offsetof(struct standin_gpu, process) == 384, "layout.go says otherwise");
static_assert(offsetof(struct standin_gpu, ring) == 1152, "layout.go says otherwise");
static_assert(sizeof(struct standin_gpu) == 197760, "layout.go says otherwise");
static_assert(sizeof(struct standin_file) == 1586280, "layout.go says otherwise");

#endif
