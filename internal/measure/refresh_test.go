package measure

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

func TestTickInterval(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		at   []time.Duration
		want time.Duration
	}{
		"none":           {nil, 0},
		"one":            {[]time.Duration{5 * ms}, 0},
		"even":           {[]time.Duration{0, 100 * ms, 200 * ms, 300 * ms}, 100 * ms},
		"one was missed": {[]time.Duration{0, 100 * ms, 300 * ms, 400 * ms, 500 * ms}, 100 * ms},
		"one seen late":  {[]time.Duration{0, 100 * ms, 240 * ms, 300 * ms, 400 * ms}, 100 * ms},
	} {
		t.Run(name, func(t *testing.T) {
			if got := (&Ticks{at: c.at}).Interval(); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// A process that was not scheduled sees a tick late, and knows it.
func TestTicksOfLatePollsDoNotCount(t *testing.T) {
	var seen Ticks
	for at := time.Duration(0); at < 800*time.Millisecond; at += PollEvery {
		if stall := at - 480*time.Millisecond; stall > 0 && stall < 100*time.Millisecond || at > 620*time.Millisecond && at < 790*time.Millisecond {
			continue
		}
		seen.See(uint64(at/(100*time.Millisecond)), at)
	}
	if got := seen.Interval(); len(seen.late) != 2 || got < 99*time.Millisecond || got > 101*time.Millisecond {
		t.Errorf("%v from ticks at %v, late %v; want 100 ms", got, seen.at, seen.late)
	}
	// Where every poll is slow the ticks are those that there are.
	slow := Ticks{late: []time.Duration{0, 95 * time.Millisecond, 205 * time.Millisecond, 300 * time.Millisecond}}
	if got := slow.Interval(); got < 95*time.Millisecond || got > 105*time.Millisecond {
		t.Errorf("slow polls give %v", got)
	}
}

// How far ticks lie from their grid is distinguished from what the polls make of it, and a
// tick that was seen late is no jitter.
func TestJitterOfTicks(t *testing.T) {
	const ms = time.Millisecond
	for name, c := range map[string]struct {
		sigma       float64 // ms
		least, most time.Duration
	}{
		"none": {0, 0, 600 * time.Microsecond},
		"1 ms": {1, 500 * time.Microsecond, 1600 * time.Microsecond},
		"3 ms": {3, 1800 * time.Microsecond, 4200 * time.Microsecond},
	} {
		rng := rand.New(rand.NewPCG(1, 2))
		var at []time.Duration
		for k := range 40 {
			at = append(at, time.Duration(k+1)*100*ms+time.Duration(rng.NormFloat64()*c.sigma*float64(ms)))
		}
		at[20] += 7 * ms
		var seen Ticks
		n := 0
		for now := time.Duration(0); n < len(at); now += PollEvery + 37*time.Microsecond {
			for n < len(at) && at[n] <= now {
				n++
			}
			seen.See(uint64(n), now)
		}
		every := seen.Interval()
		if got := seen.Jitter(every); got < c.least || got > c.most {
			t.Errorf("%s: %v about a grid of %v, want %v to %v", name, got, every, c.least, c.most)
		}
	}
	if got := (&Ticks{at: []time.Duration{0, 100 * ms, 207 * ms}, gap: make([]time.Duration, 3)}).Jitter(100 * ms); got != 0 {
		t.Errorf("%v out of three ticks", got)
	}
}

// Polls that no run takes, but a file may hold: of one instant, backwards, of no GPU's
// counter, and more than can be compared with each other.
func TestPollsThatCannotBeEndNothing(t *testing.T) {
	polls := func(n int, at func(i int) time.Duration) (out []device.Sample) {
		for i := range n {
			out = append(out, device.Sample{At: at(i), EnergyMJ: uint64(i), Has: device.HasEnergy})
		}
		return out
	}
	for name, list := range map[string][]device.Sample{
		"none":               nil,
		"one":                polls(1, func(int) time.Duration { return 0 }),
		"of one instant":     polls(9, func(int) time.Duration { return time.Second }),
		"two instants":       polls(9, func(i int) time.Duration { return time.Duration(i/5) * time.Second }),
		"backwards":          polls(9, func(i int) time.Duration { return time.Duration(-i) * time.Second }),
		"200 years apart":    polls(9, func(i int) time.Duration { return time.Duration(i%2) * math.MaxInt64 }),
		"a hundred thousand": polls(100_000, func(i int) time.Duration { return time.Duration(i) * time.Millisecond }),
	} {
		refresh, jitter := Refresh(list, 2)
		if len(refresh) != 2 || len(jitter) != 2 {
			t.Errorf("%s: %v, %v", name, refresh, jitter)
		}
	}
}
