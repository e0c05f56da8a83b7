/* What the shared file says now, for nvml.c. */
#ifndef LLEM_STANDIN_READ_H
#define LLEM_STANDIN_READ_H

#include "standin.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <time.h>

static struct standin_file *file; /* NULL until nvmlInit */

#include "sensor.h"

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

/* CLOCK_MONOTONIC, unless a test has it stand. */
static int64_t now_ns(void)
{
    return file->still_ns ? file->still_ns : clock_ns(CLOCK_MONOTONIC);
}

static void rest(int64_t ns)
{
    struct timespec t = {ns / 1000000000, ns % 1000000000};
    while (ns > 0 && nanosleep(&t, &t) != 0 && errno == EINTR)
        ;
}

/* A reader who met a writer killed half way goes on after a tenth of a second. */
static uint64_t read_begin(const struct standin_gpu *g)
{
    int64_t give_up = clock_ns(CLOCK_MONOTONIC) + 100000000;
    for (;;) {
        uint64_t s = __atomic_load_n(&g->seq, __ATOMIC_ACQUIRE);
        if (!(s & 1) || clock_ns(CLOCK_MONOTONIC) > give_up)
            return s;
        sched_yield();
    }
}

static int read_again(const struct standin_gpu *g, uint64_t seq)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return !(seq & 1) && __atomic_load_n(&g->seq, __ATOMIC_RELAXED) != seq;
}

struct reading {
    int counting;                /* 0: the counter does not answer yet */
    uint64_t counter_mj;
    uint32_t instant_mw, average_mw;
    int64_t counter_ns, power_ns; /* of the ticks that this is of */
};

/* What the sensors of g show now: their last ticks that have had time to show. */
static struct reading read_power(const struct standin_gpu *g)
{
    struct reading r;
    int64_t now = now_ns(); /* before seq: see standin.h */
    uint64_t seq;
    do {
        seq = read_begin(g);
        struct grid counter = counter_grid(g), power = power_grid(g);
        int64_t k = last_tick(g, counter, now - g->sensor.counter_delay_ns);
        int64_t n = last_tick(g, power, now - g->sensor.power_delay_ns);
        r.counter_ns = tick_at(g, counter, k);
        r.power_ns = tick_at(g, power, n);
        r.counter_mj = counter_mj(g, k);
        r.counting = g->sensor.fault != STANDIN_FAULT_SILENT || now >= g->sensor.fault_at_ns;
        r.instant_mw = (uint32_t)instant_mw(g, power, n);
        r.average_mw = (uint32_t)average_mw(g, power, n);
    } while (read_again(g, seq));
    return r;
}

/* NVML's stamp of a reading, in microseconds since 1970. */
static int64_t stamp_us(const struct standin_gpu *g, int64_t tick_ns)
{
    int64_t now = now_ns(), real = clock_ns(CLOCK_REALTIME);
    switch (g->sensor.stamp) {
    case STANDIN_STAMP_TICK: return (real - (now - tick_ns)) / 1000;
    case STANDIN_STAMP_NONE: return 0;
    default: return real / 1000;
    }
}

/* How long the call that has begun shall take yet once its reading is taken. It sleeps
 * for the part before that. */
static int64_t call_begins(const struct standin_gpu *g)
{
    static __thread uint64_t drawn;
    int64_t least = g->sensor.latency_ns, more = g->sensor.latency_random_ns;
    if ((least <= 0 && more <= 0) || file->still_ns)
        return 0;
    if (!drawn)
        drawn = draw((uint64_t)clock_ns(CLOCK_MONOTONIC) ^ (uint64_t)(uintptr_t)&drawn);
    double took = (double)least + (double)more * uniform(++drawn), before = took * uniform(++drawn);
    rest((int64_t)before);
    return (int64_t)(took - before);
}

static int failure(const char *name, int gpu)
{
    for (int i = 0; i < STANDIN_FAILURES; i++) {
        const struct standin_failure *f = &file->failure[i];
        if (f->code != 0 && f->gpu == gpu && (!strcmp(f->name, name) || (gpu >= 0 && !strcmp(f->name, "*"))))
            return f->code;
    }
    return 0;
}

#endif
