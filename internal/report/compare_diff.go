package report

import (
	"fmt"
	"math"

	"github.com/llenergymeasure/llem/internal/stats"
)

// coverage is what the meter's uncertainty is multiplied by: about 95 %.
const coverage = 2

// compare says of each point that may stand beside base how its energy per output
// token differs. Holm's correction is over those that have a verdict.
func (c *Comparison) compare(base *Point) {
	var ps []float64
	var tested []int
	for _, p := range c.comparable() {
		if p == base {
			continue
		}
		d := Difference{Label: p.Label, OtherGPUs: uuidsOf(p) != uuidsOf(base)}
		gain := 0.0
		if d.OtherGPUs {
			gain = math.Hypot(base.gain(), p.gain())
		}
		switch why := d.repeated(base, p); why {
		case "":
			d.d = d.d.With(gain)
			tested, ps = append(tested, len(c.Differences)), append(ps, d.d.P())
		case singleRun, noSpread:
			d.once(base, p, gain)
			d.NoVerdict = &why
		default:
			d.d = d.d.With(gain)
			d.set(1 - 0.95)
			d.NoVerdict = &why
		}
		c.Differences = append(c.Differences, d)
	}
	c.Comparisons = len(tested)
	for i, level := range stats.Holm(ps, familyAlpha) {
		c.Differences[tested[i]].judge(level)
	}
	for i := range c.Differences {
		d := &c.Differences[i]
		d.Sentence = settled(d.say(c.Versus))
	}
	c.Assumes = c.assumes()
}

// uuidsOf are the devices that a point's repeats ran on.
func uuidsOf(p *Point) string { return p.fact(uuids) }

// gain is the relative standard uncertainty of the sensor's gain, which is one on one
// card and another on the next.
func (p *Point) gain() float64 {
	absolute := rootMeanSquare(values(p.runs, absoluteU))
	if absolute == nil || p.UMeterJ == nil {
		return 0
	}
	return math.Sqrt(max(0, *absolute**absolute-*p.UMeterJ**p.UMeterJ)) / p.EnergyPerOutputTokenJ.Mean
}

// judge fills in what repeats show at a level.
func (d *Difference) judge(level float64) {
	p, verdict := d.d.P(), d.d.Verdict(level)
	d.set(level)
	d.P, d.Verdict = &p, &verdict
	if n, ok := d.d.Repeats(level, power); ok && verdict == stats.NoneShown {
		d.Repeats = &n
	}
}

// once fills in what single runs say: a difference with the meter's uncertainty, and
// no verdict.
func (d *Difference) once(a, b *Point, gain float64) {
	d.Method, d.Confidence = "meter", 0.95
	x, y := a.EnergyPerOutputTokenJ, b.EnergyPerOutputTokenJ
	relative := math.Log(y.Mean / x.Mean)
	d.Percent = 100 * math.Expm1(relative)
	if a.UMeterJ == nil || b.UMeterJ == nil {
		return
	}
	of := func(p *Point) float64 {
		m := p.EnergyPerOutputTokenJ
		return *p.UMeterJ / m.Mean / math.Sqrt(float64(m.N))
	}
	half := coverage * math.Hypot(math.Hypot(of(a), of(b)), gain)
	d.interval(math.Expm1(relative-half), math.Expm1(relative+half))
}

// set fills in the difference and its interval at a level.
func (d *Difference) set(level float64) {
	d.Percent, d.Confidence = 100*d.d.Relative(), 1-level
	d.interval(d.d.Interval(level))
}

func (d *Difference) interval(low, high float64) {
	low, high = 100*low, 100*high
	d.Low, d.High = &low, &high
}

// say is the difference as a sentence.
func (d *Difference) say(versus string) string {
	const of = " energy per output token than "
	amount, interval := d.amount()
	switch {
	case d.Verdict == nil:
		return d.Label + ": " + amount + of + versus + interval + d.unless() + "; no verdict, since " + d.why()
	case *d.Verdict == stats.NoneShown:
		return fmt.Sprintf("%s and %s: no difference shown (%s); %s uses %s%s", d.Label, versus, d.needed(), d.Label, amount, interval)
	}
	return d.Label + " uses " + amount + of + versus + interval
}

// widestHalf is the half-width, in %, from which an interval is printed by its ends:
// that of a ratio is not symmetric.
const widestHalf = 10

// amount is "7.1 ± 1.2 % less", and the interval's ends where it is too wide for that.
func (d *Difference) amount() (amount, interval string) {
	way := "less"
	if d.Percent > 0 {
		way = "more"
	}
	size := math.Abs(d.Percent)
	if d.Low == nil || !isWidth((*d.High-*d.Low)/2) {
		return short(size, "% "+way).String(), ""
	}
	half := (*d.High - *d.Low) / 2
	if half < widestHalf {
		return plusMinus(&size, &half, 1, 1, "% "+way).String(), ""
	}
	return short(size, "% "+way).String(), fmt.Sprintf(" (%s to %s)", signed(*d.Low, ""), signed(*d.High, "%"))
}

// needed says how many repeats would show the difference.
func (d *Difference) needed() string {
	what := "repeats"
	if d.Method == string(stats.ByCycle) {
		what = "cycles"
	}
	if d.Repeats != nil {
		return fmt.Sprintf("about %d %s would", *d.Repeats, what)
	}
	return "a thousand " + what + " would not"
}
