package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// instrument is one kind of GPU by what its sensors do.
type instrument struct {
	family string
	name   string
	words  string        // settings as standin.GPU.Set takes them
	fault  standin.Fault // of the counter, in the middle of the window
	joules float64       // by which it jumps
	// identifiable says that what its sensors do is listed for its card, or can be seen
	// in their readings, so that intervals have no reason to be wide.
	identifiable bool
}

// instruments are all of them, by family. Nothing here knows what llem takes a
// sensor to be.
var instruments = []instrument{
	{family: "looks all the time, shows at once", name: "Ampere GA10x", words: "capability=8.6 look=1", identifiable: true},
	{family: "looks all the time, shows at once", name: "Turing", words: "capability=7.5 look=1", identifiable: true},
	{family: "looks all the time, shows at once", name: "consumer card at 500 ms", words: "capability=8.9 look=1 refresh=500ms", identifiable: true},
	{family: "looks all the time, shows at once", name: "card at 1 s", words: "capability=8.9 look=1 refresh=1s", identifiable: true},
	{family: "looks all the time, shows at once", name: "Blackwell", words: "capability=10.0 look=1"},
	{family: "looks all the time, shows at once", name: "no capability", words: "capability=none look=1"},

	{family: "looks in part, counter adds up the looks", name: "A100, last quarter", words: "capability=8.0 look=0.25 look-at=0.75 shared"},
	{family: "looks in part, counter adds up the looks", name: "H100, last quarter", words: "capability=9.0 look=0.25 look-at=0.75 shared"},
	{family: "looks in part, counter adds up the looks", name: "H100, first quarter", words: "capability=9.0 look=0.25 shared"},
	{family: "looks in part, counter adds up the looks", name: "H100, middle quarter", words: "capability=9.0 look=0.25 look-at=0.375 shared"},
	{family: "looks in part, counter adds up the looks", name: "H100, last quarter, 500 ms", words: "capability=9.0 look=0.25 look-at=0.75 shared refresh=500ms"},
	{family: "looks in part, counter adds up the looks", name: "H100, last quarter, 1 s", words: "capability=9.0 look=0.25 look-at=0.75 shared refresh=1s"},
	{family: "looks in part, counter adds up the looks", name: "Blackwell, last quarter", words: "capability=10.0 look=0.25 look-at=0.75 shared"},
	{family: "looks in part, counter adds up the looks", name: "Blackwell, first quarter", words: "capability=10.0 look=0.25 shared"},
	{family: "looks in part, counter adds up the looks", name: "no capability, quarter", words: "capability=none look=0.25 look-at=0.4 shared"},
	{family: "looks in part, counter adds up the looks", name: "V100, half", words: "capability=7.0 refresh=20ms look=0.5 look-at=0.5 shared"},
	{family: "looks in part, counter adds up the looks", name: "V100, first half", words: "capability=7.0 refresh=20ms look=0.5 shared"},
	{family: "looks in part, counter adds up the looks", name: "GA10x, quarter", words: "capability=8.6 look=0.25 look-at=0.6 shared"},

	{family: "powers look in part, counter misses nothing", name: "A100", words: "capability=8.0 look=0.25 look-at=0.75"},
	{family: "powers look in part, counter misses nothing", name: "H100", words: "capability=9.0 look=0.25 look-at=0.75"},
	{family: "powers look in part, counter misses nothing", name: "H100, first quarter", words: "capability=9.0 look=0.25"},
	{family: "powers look in part, counter misses nothing", name: "GA10x that sees the tick alone", words: "capability=8.6"},

	{family: "shows late", name: "by 10 ms", words: "capability=8.6 look=1 counter-delay=10ms power-delay=10ms"},
	{family: "shows late", name: "by 30 ms", words: "capability=8.6 look=1 counter-delay=30ms power-delay=30ms"},
	{family: "shows late", name: "by 50 ms", words: "capability=8.6 look=1 counter-delay=50ms power-delay=50ms"},
	{family: "shows late", name: "by 30 ms, stamped at the tick", words: "capability=8.6 look=1 counter-delay=30ms power-delay=30ms stamp=tick"},
	{family: "shows late", name: "by 30 ms, no stamps", words: "capability=8.6 look=1 counter-delay=30ms power-delay=30ms stamp=none"},
	{family: "shows late", name: "counter alone, by 30 ms", words: "capability=8.6 look=1 counter-delay=30ms"},
	{family: "shows late", name: "powers alone, by 50 ms", words: "capability=8.6 look=1 power-delay=50ms"},
	{family: "shows late", name: "H100, by 30 ms", words: "capability=9.0 look=0.25 look-at=0.75 shared counter-delay=30ms power-delay=30ms"},

	{family: "slow calls", name: "of 5 to 30 ms", words: "capability=8.6 look=1 latency=5ms latency-more=25ms"},
	{family: "slow calls", name: "of 15 ms", words: "capability=8.6 look=1 latency=15ms"},

	{family: "steps and ticks", name: "steps of 15 J", words: "capability=8.6 look=1 step=15"},
	{family: "steps and ticks", name: "steps of 1 J", words: "capability=8.6 look=1 step=1"},
	{family: "steps and ticks", name: "jitter of 30 ms", words: "capability=8.6 look=1 jitter=30ms"},
	{family: "steps and ticks", name: "wander of 30 ms", words: "capability=8.6 look=1 wander=30ms wander-period=7s"},
	{family: "steps and ticks", name: "stamped at the tick", words: "capability=8.6 look=1 stamp=tick", identifiable: true},
	{family: "steps and ticks", name: "no stamps", words: "capability=8.6 look=1 stamp=none", identifiable: true},

	{family: "powers and counter apart", name: "powers at 500 ms, counter at 100 ms", words: "capability=8.6 look=1 power-refresh=500ms"},
	{family: "powers and counter apart", name: "powers at 1 s, counter at 100 ms", words: "capability=8.6 look=1 power-refresh=1s"},
	{family: "powers and counter apart", name: "powers at 100 ms, counter at 500 ms", words: "capability=8.6 look=1 refresh=500ms power-refresh=100ms"},
	{family: "powers and counter apart", name: "powers lag by 1 s, counter", words: "capability=8.6 lag=1s"},
	{family: "powers and counter apart", name: "powers stuck, counter", words: "capability=8.6 stuck=71.5"},

	{family: "several at once", name: "H100 with all of it", words: "capability=9.0 refresh=101ms look=0.25 look-at=0.1 shared counter-delay=20ms power-delay=25ms jitter=3ms latency=500us latency-more=2ms step=0.1"},
	{family: "several at once", name: "A100 at 103 ms, late", words: "capability=8.0 refresh=103ms look=0.2 look-at=0.6 counter-delay=15ms power-delay=5ms jitter=2ms latency-more=1ms"},
	{family: "several at once", name: "consumer card with slow calls", words: "capability=8.9 look=1 refresh=500ms power-refresh=100ms counter-delay=40ms latency=2ms latency-more=6ms step=1"},
	{family: "several at once", name: "unknown card at 50 ms", words: "capability=12.0 look=0.1 look-at=0.5 shared refresh=50ms jitter=4ms power-delay=10ms stamp=tick"},

	{family: "no counter", name: "powers at 100 ms", words: "capability=8.6 look=1 no-counter"},
	{family: "no counter", name: "powers at 1 s", words: "capability=8.6 look=1 no-counter power-refresh=1s"},
	{family: "no counter", name: "powers lag by 1 s", words: "capability=8.6 no-counter lag=1s"},
	{family: "no counter", name: "powers stuck", words: "capability=8.6 no-counter stuck=71.5"},
	{family: "no counter", name: "a mean of 1 s alone", words: "capability=8.6 no-counter no-instant no-average"},
	{family: "no counter", name: "a mean of 1 s alone, on an A100", words: "capability=8.0 no-counter no-instant no-average"},

	{family: "counter at fault", name: "does not answer until the middle", words: "capability=8.6 look=1", fault: standin.Silent},
	{family: "counter at fault", name: "0 until the middle", words: "capability=8.6 look=1", fault: standin.Zero},
	{family: "counter at fault", name: "0 until the middle, then 8 kJ", words: "capability=8.6 look=1 counter=8000000", fault: standin.Zero},
	{family: "counter at fault", name: "frozen until the middle", words: "capability=8.6 look=1", fault: standin.Frozen},
	{family: "counter at fault", name: "resets", words: "capability=8.6 look=1", fault: standin.Resets},
	{family: "counter at fault", name: "stands", words: "capability=8.6 look=1", fault: standin.Stands},
	{family: "counter at fault", name: "jumps", words: "capability=8.6 look=1", fault: standin.Jumps, joules: 2000},
	{family: "counter at fault", name: "reads 3 % low", words: "capability=8.6 look=1 gain=0.97"},
	{family: "counter at fault", name: "reads 10 % low", words: "capability=8.6 look=1 gain=0.9"},
}

// gpu is one GPU of the instrument.
func (in instrument) gpu() (g standin.GPU, err error) {
	for _, w := range strings.Fields(in.words) {
		if err := g.Set(w); err != nil {
			return g, fmt.Errorf("%s: %w", in.name, err)
		}
	}
	if g.Refresh == 0 {
		g.Refresh = 100 * time.Millisecond
	}
	return g, nil
}

// every is how often what the energy is taken from is shown.
func (in instrument) every() time.Duration {
	g, err := in.gpu()
	switch {
	case err != nil:
		return 0 // draw says it
	case g.Sensor.NoCounter:
		return max(g.Refresh, g.Sensor.PowerRefresh)
	}
	return g.Refresh
}

// draw makes one GPU of the instrument: its ticks fall anywhere.
func (in instrument) draw(r *rand.Rand) (g standin.GPU, err error) {
	if g, err = in.gpu(); err != nil {
		return g, err
	}
	g.Phase = time.Duration(r.Int64N(int64(g.Refresh)))
	if g.Sensor.PowerRefresh > 0 {
		g.Sensor.PowerPhase = time.Duration(r.Int64N(int64(g.Sensor.PowerRefresh)))
	}
	if g.Counter == 0 {
		g.Counter = 1e6 + r.Uint64N(1e9)
	}
	g.Sensor.Seed = r.Int64N(1 << 40)
	switch in.fault {
	case standin.Silent, standin.Zero, standin.Frozen: // from the beginning; the load says until when
		g.Sensor.Fault, g.Sensor.FaultAt = in.fault, math.MaxInt64/2
	}
	return g, nil
}
