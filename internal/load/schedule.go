package load

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/llenergymeasure/llem/internal/study"
)

// schedule is an open loop's: when each request is due, laid down before the window.
type schedule struct {
	due   []time.Duration
	limit int
}

func (s schedule) At(n int) (time.Duration, bool) { return s.due[n], true }
func (s schedule) InFlight() int                  { return s.limit }

// planned is the schedule of a pattern of which nothing is drawn.
func planned(l study.Load, _ uint64, _ study.Trace) due {
	return func(n int) (time.Duration, bool) { return toNanoseconds(l.Due(n)), true }
}

// renewal is a schedule whose gaps are drawn one by one from a distribution of mean
// 1. The first request is due at 0. Gaps are rounded one by one: a processor that
// reckons a logarithm's last digit otherwise does not move what follows.
func renewal(l study.Load, seed uint64, gap func(*draws) float64) due {
	d := &draws{src: rand.NewPCG(seed, arrivals)}
	at := time.Duration(0)
	return func(n int) (time.Duration, bool) {
		if n > 0 {
			at += toNanoseconds(gap(d) / l.RatePerSecond)
		}
		return at, true
	}
}

func toNanoseconds(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds * float64(time.Second)))
}

// arrivals is the stream of the generator that schedules are drawn from, apart from
// those of prompts.
const arrivals = 0x6172726976616c73

// draws makes random numbers that depend on the seed alone: methods are written out,
// since a schedule must not change with the standard library's.
type draws struct{ src *rand.PCG }

// uniform is in (0, 1), in steps of 2⁻⁵³, from their middles: its logarithm is finite.
func (d *draws) uniform() float64 { return (float64(d.src.Uint64()>>11) + 0.5) / (1 << 53) }

// exponential has the mean 1, by inversion.
func (d *draws) exponential() float64 { return -math.Log(d.uniform()) }

// normal is standard, by the Box–Muller transform (Ann. Math. Stat. 29, 1958).
func (d *draws) normal() float64 {
	r := math.Sqrt(-2 * math.Log(d.uniform()))
	return r * math.Cos(2*math.Pi*d.uniform())
}

// gamma has the shape k and the mean 1 (Marsaglia and Tsang, ACM TOMS 26, 2000;
// below shape 1 by their U^(1/k)).
func (d *draws) gamma(k float64) float64 {
	boost := 1.0
	shape := k
	if shape < 1 {
		boost = math.Pow(d.uniform(), 1/shape)
		shape++
	}
	a := shape - 1.0/3
	c := 1 / math.Sqrt(9*a)
	for {
		x := d.normal()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(d.uniform()) < x*x/2+a-a*v+a*math.Log(v) {
			return a * v * boost / k
		}
	}
}
