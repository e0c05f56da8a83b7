/*
 * What the sensors of a GPU make of its power: when they tick, what they see then, when
 * that shows. read.h asks it for what they show now. All of it follows from the shared file
 * and the time, so that every process sees the same. standin.h says what each setting is.
 *
 * A sensor ticks at phase + k * refresh, moved by wander and jitter. The refresh of tick k
 * lies between ticks k - 1 and k; in it the sensor looks at the part that look_at_ppm and
 * look_ppm name.
 */
#ifndef LLEM_STANDIN_SENSOR_H
#define LLEM_STANDIN_SENSOR_H

#include "standin.h"

#include <pthread.h>
#include <string.h>

/* ---- the power itself ----------------------------------------------------- */

/* The last change at or before t, or the oldest one that is known. */
static uint64_t change_at(const struct standin_gpu *g, int64_t t)
{
    uint64_t low = g->oldest, high = g->changes;
    while (high - low > 1) {
        uint64_t mid = low + (high - low) / 2;
        if (g->ring[mid % STANDIN_RING].at_ns <= t)
            low = mid;
        else
            high = mid;
    }
    return low;
}

/* Energy up to t in nJ, and the power at t. Before the first change nothing was used. */
static uint64_t energy_at(const struct standin_gpu *g, int64_t t, uint64_t *power_mw)
{
    const struct standin_change *c = &g->ring[change_at(g, t) % STANDIN_RING];
    *power_mw = c->power_mw;
    if (t < c->at_ns)
        return c->energy_nj;
    return c->energy_nj + (uint64_t)((unsigned __int128)c->power_mw * (uint64_t)(t - c->at_ns) / 1000);
}

/* ---- ticks ---------------------------------------------------------------- */

/* The grid of a sensor's ticks. */
struct grid {
    int64_t refresh, phase, salt;
};

static struct grid counter_grid(const struct standin_gpu *g)
{
    struct grid r = {g->refresh_ns, g->phase_ns, 1};
    return r;
}

static struct grid power_grid(const struct standin_gpu *g)
{
    struct grid r = {g->sensor.power_refresh_ns, g->sensor.power_phase_ns, 2};
    return r.refresh > 0 ? r : counter_grid(g);
}

/* A number drawn from what it is for: splitmix64. */
static uint64_t draw(uint64_t x)
{
    x += 0x9e3779b97f4a7c15ULL;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
    return x ^ x >> 31;
}

static double uniform(uint64_t x) { return (double)(draw(x) >> 11) / 9007199254740992.0; }

/* Close to normal, of mean 0 and deviation 1: twelve uniform ones, so that no libm is needed. */
static double normal(uint64_t x)
{
    double sum = -6;
    for (uint64_t i = 0; i < 12; i++)
        sum += uniform(x * 12 + i);
    return sum;
}

static int64_t bounded(double v, int64_t limit)
{
    return v > (double)limit ? limit : v < (double)-limit ? -limit : (int64_t)v;
}

static int64_t tick_at(const struct standin_gpu *g, struct grid r, int64_t k)
{
    const struct standin_sensor *s = &g->sensor;
    int64_t t = r.phase + k * r.refresh;
    if (s->wander_ns > 0 && s->wander_period_ns > 0) { /* a triangle */
        double part = (double)(t % s->wander_period_ns) / (double)s->wander_period_ns;
        t += bounded((double)s->wander_ns * (part < 0.5 ? 4 * part - 1 : 3 - 4 * part), r.refresh);
    }
    if (s->jitter_ns > 0) {
        uint64_t salt = draw((uint64_t)s->seed * 4 + (uint64_t)r.salt);
        t += bounded((double)s->jitter_ns * normal(salt ^ (uint64_t)k), r.refresh * 9 / 20);
    }
    return t;
}

/* The last tick at or before t. */
static int64_t last_tick(const struct standin_gpu *g, struct grid r, int64_t t)
{
    int64_t k = (t - r.phase) / r.refresh + 2;
    while (tick_at(g, r, k) > t)
        k--;
    return k;
}

/* ---- what powers see ------------------------------------------------------- */

/* The mean power, in mW, of the look that ends in tick k. */
static double look(const struct standin_gpu *g, struct grid r, int64_t k)
{
    const struct standin_sensor *s = &g->sensor;
    int64_t to = tick_at(g, r, k), from = tick_at(g, r, k - 1), length = to - from;
    int64_t begin = from + (int64_t)((double)length * (double)s->look_at_ppm / 1e6);
    int64_t end = begin + (int64_t)((double)length * (double)s->look_ppm / 1e6);
    uint64_t power;
    if (end <= begin) {
        energy_at(g, to, &power);
        return (double)power;
    }
    uint64_t used = energy_at(g, end, &power) - energy_at(g, begin, &power);
    return (double)used * 1000 / (double)(end - begin);
}

/* e to the power of -x, for x from 0 on. */
static double decay(double x)
{
    const double ln2 = 0.693147180559945309;
    double term = 1, sum = 1, half = 1;
    if (x > 60)
        return 0;
    for (; x > ln2; x -= ln2)
        half /= 2;
    for (int i = 1; i < 20; i++)
        sum += term *= -x / i;
    return sum * half;
}

/* Power at t behind an exponential, in mW: from the oldest change that is known. */
static double lagging(const struct standin_gpu *g, int64_t t)
{
    uint64_t last = change_at(g, t), i = g->oldest;
    double shown = (double)g->ring[i % STANDIN_RING].power_mw;
    for (; i <= last; i++) {
        const struct standin_change *c = &g->ring[i % STANDIN_RING];
        int64_t until = i < last ? g->ring[(i + 1) % STANDIN_RING].at_ns : t;
        if (until > c->at_ns)
            shown = (double)c->power_mw + (shown - (double)c->power_mw) * decay((double)(until - c->at_ns) / (double)g->sensor.lag_ns);
    }
    return shown;
}

static double instant_mw(const struct standin_gpu *g, struct grid r, int64_t k)
{
    if (g->sensor.stuck_mw > 0)
        return (double)g->sensor.stuck_mw;
    if (g->sensor.lag_ns > 0)
        return lagging(g, tick_at(g, r, k));
    return look(g, r, k);
}

/* The mean until tick k, or instant power where that is what the GPU's averages are. */
static double average_mw(const struct standin_gpu *g, struct grid r, int64_t k)
{
    int64_t to = tick_at(g, r, k), from = to - g->average_ns;
    uint64_t power;
    if (g->sensor.stuck_mw > 0 || g->average_ns <= 0 || (!g->oldest && from < g->ring[0].at_ns))
        return instant_mw(g, r, k);
    uint64_t used = energy_at(g, to, &power) - energy_at(g, from, &power);
    return (double)((unsigned __int128)used * 1000 / (uint64_t)g->average_ns);
}

/* ---- what the counter sees ------------------------------------------------- */

/* The sum of a GPU's looks, which each process keeps: adding them up from the start at
 * every reading would take longer and longer, and the file forgets old changes. */
struct sum {
    struct standin_sensor sensor;
    struct grid grid;
    int64_t begun, k;
    double nj;
};

static double looked_nj(const struct standin_gpu *g, int64_t k)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    static struct sum sums[STANDIN_GPUS];
    struct sum now = {.sensor = g->sensor, .grid = counter_grid(g), .begun = g->ring[0].at_ns};
    uint64_t power;
    pthread_mutex_lock(&lock);
    struct sum *s = &sums[g - file->gpu];
    /* Faults come and go without changing what was seen. */
    now.sensor.fault = now.sensor.fault_at_ns = now.sensor.fault_until_ns = now.sensor.fault_mj = 0;
    int same = s->grid.refresh > 0 && !memcmp(&s->sensor, &now.sensor, sizeof now.sensor) &&
               !memcmp(&s->grid, &now.grid, sizeof now.grid) && (s->begun == now.begun || g->oldest);
    if (!same || k < s->k) {
        now.k = last_tick(g, now.grid, g->ring[g->oldest % STANDIN_RING].at_ns);
        now.nj = (double)energy_at(g, tick_at(g, now.grid, now.k), &power);
        *s = now;
    }
    for (; s->k < k; s->k++) {
        int64_t from = tick_at(g, s->grid, s->k), to = tick_at(g, s->grid, s->k + 1);
        s->nj += look(g, s->grid, s->k + 1) * (double)(to - from) / 1000;
    }
    double nj = s->nj;
    pthread_mutex_unlock(&lock);
    return nj;
}

/* What the counter has counted until tick k, in mJ, had it no faults and no steps. */
static int64_t counted_mj(const struct standin_gpu *g, int64_t k)
{
    const struct standin_sensor *s = &g->sensor;
    uint64_t power;
    double gain = s->gain_ppm ? (double)s->gain_ppm / 1e6 : 1;
    if (s->shared && s->look_ppm > 0)
        return (int64_t)(looked_nj(g, k) * gain / 1e6);
    uint64_t nj = energy_at(g, tick_at(g, counter_grid(g), k), &power);
    return gain == 1 ? (int64_t)(nj / 1000000) : (int64_t)((double)nj * gain / 1e6);
}

/* What the counter shows at tick k, from 0 up. */
static uint64_t counter_mj(const struct standin_gpu *g, int64_t k)
{
    const struct standin_sensor *s = &g->sensor;
    struct grid r = counter_grid(g);
    int64_t at = tick_at(g, r, k), fault_k = s->fault ? last_tick(g, r, s->fault_at_ns) : 0;
    int64_t mj = g->base_mj + counted_mj(g, k);
    switch (s->fault) {
    case STANDIN_FAULT_ZERO:
        mj = at < s->fault_at_ns ? 0 : mj;
        break;
    case STANDIN_FAULT_RESETS:
        mj = at < s->fault_at_ns ? mj : counted_mj(g, k) - counted_mj(g, fault_k);
        break;
    case STANDIN_FAULT_STANDS:
        if (at >= s->fault_at_ns && (!s->fault_until_ns || at < s->fault_until_ns))
            mj = g->base_mj + counted_mj(g, fault_k);
        break;
    case STANDIN_FAULT_FROZEN:
        mj = at < s->fault_at_ns ? g->base_mj : mj;
        break;
    case STANDIN_FAULT_JUMPS:
        mj += at < s->fault_at_ns ? 0 : s->fault_mj;
        break;
    }
    if (s->step_mj > 1)
        mj -= mj % s->step_mj;
    return mj < 0 ? 0 : (uint64_t)mj;
}

#endif
