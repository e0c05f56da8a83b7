/* What the shared file says now, for nvml.c. */
#ifndef LLEM_STANDIN_READ_H
#define LLEM_STANDIN_READ_H

#include "standin.h"

#include <sched.h>
#include <string.h>
#include <time.h>

static struct standin_file *file; /* NULL until nvmlInit */

static int64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
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

/* Energy up to t in nJ, and the power at t. Before the first change nothing was used. */
static uint64_t energy_at(const struct standin_gpu *g, int64_t t, uint64_t *power_mw)
{
    uint64_t n = g->changes, oldest = n > STANDIN_RING ? n - STANDIN_RING : 0;
    const struct standin_change *c = &g->ring[oldest % STANDIN_RING];
    for (uint64_t i = n; i-- > oldest;) {
        c = &g->ring[i % STANDIN_RING];
        if (c->at_ns <= t)
            break;
    }
    *power_mw = c->power_mw;
    if (t < c->at_ns)
        return c->energy_nj;
    return c->energy_nj + (uint64_t)((unsigned __int128)c->power_mw * (uint64_t)(t - c->at_ns) / 1000);
}

struct reading {
    uint64_t counter_mj;
    uint32_t instant_mw, average_mw;
};

/* What the sensors of g show now, which is what they took in at their last tick. */
static struct reading read_power(const struct standin_gpu *g)
{
    struct reading r;
    int64_t now = clock_ns(CLOCK_MONOTONIC); /* before seq: see standin.h */
    uint64_t seq;
    do {
        seq = read_begin(g);
        int64_t since = (now - g->phase_ns) % g->refresh_ns;
        int64_t tick = now - (since < 0 ? since + g->refresh_ns : since);
        uint64_t power, before;
        uint64_t energy = energy_at(g, tick, &power);
        int64_t mj = g->base_mj + (int64_t)(energy / 1000000);
        r.counter_mj = mj < 0 ? 0 : (uint64_t)mj;
        r.instant_mw = (uint32_t)power;
        r.average_mw = r.instant_mw;
        int64_t first = g->ring[0].at_ns;
        if (g->average_ns > 0 && (g->changes > STANDIN_RING || tick - g->average_ns >= first)) {
            uint64_t used = energy - energy_at(g, tick - g->average_ns, &before);
            r.average_mw = (uint32_t)((unsigned __int128)used * 1000 / (uint64_t)g->average_ns);
        }
    } while (read_again(g, seq));
    return r;
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
