package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// points groups results: those with equal requests and configuration that ran by
// the same software on GPUs of one model are repeats of one point. A result
// without a figure to rank stands with the first point of its configuration.
func points(list []Entry) []Point {
	var out []*Point
	byKey, byConfig := map[string]*Point{}, map[string]*Point{}
	at := map[*Point]int{}
	add := func(i int, p *Point) *Point {
		if p == nil {
			p = &Point{}
			out, at[p] = append(out, p), i
		}
		at[p] = min(at[p], i)
		p.all = append(p.all, list[i].Record)
		return p
	}
	for i, e := range list {
		if unusable(e.Record) == "" {
			p := add(i, byKey[pointKey(e.Record)])
			p.runs = append(p.runs, e)
			byKey[pointKey(e.Record)] = p
			byConfig[e.Record.ConfigHash] = cmp.Or(byConfig[e.Record.ConfigHash], p)
		}
	}
	for i, e := range list {
		if why := unusable(e.Record); why != "" {
			p := byKey[pointKey(e.Record)] // what completed is a repeat of the same work alone
			if e.Record.Status != result.Completed {
				p = byConfig[e.Record.ConfigHash]
			}
			p = add(i, p)
			p.LeftOut = append(p.LeftOut, Left{e.Dir, why})
			byConfig[e.Record.ConfigHash] = cmp.Or(byConfig[e.Record.ConfigHash], p)
			if e.Record.Status == result.Completed {
				byKey[pointKey(e.Record)] = p
			}
		}
	}
	slices.SortFunc(out, func(a, b *Point) int { return at[a] - at[b] })
	flat := make([]Point, len(out))
	for i, p := range out {
		p.Label = Letter(i)
		p.fill()
		flat[i] = *p
	}
	return flat
}

// pointKey is what repeats of one point share.
func pointKey(r *result.Record) string {
	return strings.Join([]string{
		sent(r), r.ConfigHash, r.Engine.Called(), r.Model.ID, deref(r.Engine.ServedModel), image(r), deref(r.Model.Revision),
		r.Energy.Scope, gpuNames(r), drivers(r), limits(r),
	}, "\x00")
}

// unusable says why a result is not to be ranked with others; empty where it is.
func unusable(r *result.Record) string {
	_, bound := r.WarningSeverities["client_bound"]
	reasons := strings.Join(r.Energy.Reasons, ", ")
	switch e := r.EnergyPerOutputToken; {
	case r.Status != result.Completed:
		return strings.TrimSuffix(dash(r.Status)+": "+firstLine(r.Error), ": ")
	case r.EnergyTotalJ == nil || e == nil || !(*e > 0) || math.IsInf(*e, 1):
		return strings.TrimSuffix("no energy figure: "+reasons, ": ")
	case !r.Energy.Valid:
		return strings.TrimSuffix("energy is not valid: "+reasons, ": ")
	case bound:
		return "client_bound: the client was measured, not the engine"
	}
	return ""
}

// fill gives the point what its results say.
func (p *Point) fill() {
	first := p.all[0]
	p.Name, p.ConfigHash, p.Sent = first.Name, first.ConfigHash, sent(first)
	p.Results, p.Apart, p.Doubts = []string{}, []string{}, map[string]int{}
	if p.LeftOut == nil {
		p.LeftOut = []Left{}
	}
	for _, l := range p.LeftOut {
		if len(p.runs) == 0 && !slices.Contains(p.Apart, l.Reason) {
			p.Apart = append(p.Apart, l.Reason)
		}
	}
	devices := map[string]bool{}
	for _, e := range p.runs {
		p.Results = append(p.Results, e.Dir)
		devices[uuids(e.Record)] = true
		for code, severity := range e.Record.WarningSeverities {
			if severity == "doubt" {
				p.Doubts[code]++
			}
		}
	}
	p.Devices = len(devices)
	p.Completed = len(p.runs)
	p.EnergyPerOutputTokenJ = mean(p.runs, func(r *result.Record) *float64 { return r.EnergyPerOutputToken })
	speed := p.runs
	if len(speed) == 0 { // without an energy figure it was still this fast
		speed = p.completed()
		p.Completed = len(speed)
	}
	p.TokensPerSecond = mean(speed, func(r *result.Record) *float64 { return r.TokensPerSecond })
	p.MeanPowerW = mean(p.runs, func(r *result.Record) *float64 { return r.Energy.MeanPowerW })
	p.TTFTP50MS = mean(speed, func(r *result.Record) *float64 {
		if r.Latency.TTFT == nil {
			return nil
		}
		return &r.Latency.TTFT.P50
	})
	p.UMeterJ = rootMeanSquare(values(p.runs, meterU))
	p.EnergyAbsolute95J = p.absolute95()
}

// absolute95 is half of the 95 % interval of the mean with the gain of the sensors:
// by the spread of the runs, or of a single one by its meter.
func (p *Point) absolute95() *float64 {
	m, gain := p.EnergyPerOutputTokenJ, p.gain()
	if m == nil || gain == 0 {
		return nil
	}
	own := coverage * *p.UMeterJ
	if m.Interval95 != nil {
		own = *m.Interval95
	}
	half := math.Hypot(own, coverage*gain*m.Mean)
	return &half
}

// widths are those of the point's mean.
func (p *Point) widths() widths {
	return widthsOf(p.EnergyPerOutputTokenJ.Interval95, p.EnergyAbsolute95J, 1, 1)
}

// completed are the runs that did their work, whatever became of their energy.
func (p *Point) completed() (out []Entry) {
	for _, r := range p.all {
		if r.Status == result.Completed {
			out = append(out, Entry{Record: r})
		}
	}
	return out
}

// values are a figure's of the runs that have it.
func values(runs []Entry, of func(*result.Record) *float64) (out []float64) {
	for _, e := range runs {
		if v := of(e.Record); v != nil {
			out = append(out, *v)
		}
	}
	return out
}

// mean is nil where no run has the figure.
func mean(runs []Entry, of func(*result.Record) *float64) *Mean {
	v := values(runs, of)
	s := stats.Summarise(v)
	if s == nil {
		return nil
	}
	m := &Mean{N: s.N, Mean: s.Mean}
	if _, half, ok := stats.Interval(v); ok {
		m.Interval95 = &half
	}
	if sd, ok := stats.SD(v); ok {
		m.SD = &sd
	}
	return m
}

// meterU is the meter's own uncertainty of a run's energy per output token, k = 1.
func meterU(r *result.Record) *float64 {
	return perOutputToken(r, r.Energy.UPerOutputTokenJ, r.Energy.URepeatabilityJ)
}

// absoluteU is that with the gain of the sensor.
func absoluteU(r *result.Record) *float64 {
	return perOutputToken(r, r.Energy.UPerOutputTokenAbsoluteJ, r.Energy.UAbsoluteJ)
}

// perOutputToken is what the record says, or the total's share.
func perOutputToken(r *result.Record, said, total *float64) *float64 {
	if said != nil || total == nil || r.Tokens.Output == nil || *r.Tokens.Output <= 0 {
		return said
	}
	u := *total / float64(*r.Tokens.Output)
	return &u
}

func rootMeanSquare(v []float64) *float64 {
	if len(v) == 0 {
		return nil
	}
	sum := 0.0
	for _, x := range v {
		sum += x * x
	}
	root := math.Sqrt(sum / float64(len(v)))
	return &root
}

// sameWork is by how much token counts may differ in equal work, as a share: a
// begin-of-text token more on each prompt, or an answer that ended early here and
// there.
const sameWork = 0.01

// apart says why p may not be ranked with base; empty where it may.
func apart(base, p *Point) []string {
	a, b := base.runs[0].Record, p.runs[0].Record
	out := []string{}
	unlike := func(differ bool, format string, args ...any) {
		if differ {
			out = append(out, settled(fmt.Sprintf(format, args...)))
		}
	}
	unlike(a.Energy.Scope != b.Energy.Scope, "energy of other scope: %s, not %s", dash(b.Energy.Scope), dash(a.Energy.Scope))
	unlike(dummy(b) && !dummy(a), "random weights (dummy_weights), not a trained model's")
	unlike(!dummy(b) && dummy(a), "a trained model's weights, not random ones (dummy_weights)")
	unlike(models(a) != models(b), "another GPU: %s", dash(models(b)))
	unlike(limits(a) != limits(b) && !limitSet(a) && !limitSet(b), "another power limit: %s, not %s", dash(limits(b)), dash(limits(a)))
	unlike(sent(a) != sent(b), "other requests (requests.prompt_checksum, workload_hash)")
	of, each := "", bySeconds(a.ConfigValues()) && bySeconds(b.ConfigValues())
	if each {
		of = " of a request"
	}
	for _, c := range []struct {
		name string
		of   func(*result.Record) *int64
	}{
		{"input", func(r *result.Record) *int64 { return r.Tokens.Input }},
		{"output", func(r *result.Record) *int64 { return r.Tokens.Output }},
	} {
		x, known := base.tokens(c.of, each)
		y, too := p.tokens(c.of, each)
		if !known || !too {
			continue // without output there is no J/token to rank, and equal prompts are equal without a count
		}
		unlike(math.Abs(x-y) > sameWork*x, "other %s token counts%s: %s, not %s", c.name, of, fixed(y, 0), fixed(x, 0))
	}
	return out
}

// tokens is the mean of a count over the point's runs, or of a request of each.
// false: one is unknown.
func (p *Point) tokens(of func(*result.Record) *int64, each bool) (mean float64, known bool) {
	sum := 0.0
	for _, e := range p.runs {
		n := 1
		if each {
			n = max(1, e.Record.Requests.Completed)
		}
		count := of(e.Record)
		if count == nil {
			return 0, false
		}
		sum += float64(*count) / float64(n)
	}
	return sum / float64(len(p.runs)), true
}

func dummy(r *result.Record) bool {
	_, is := r.WarningSeverities["dummy_weights"]
	return is
}

// limitSet says that the run's own configuration set a power limit, so that the
// limit is what is compared.
func limitSet(r *result.Record) bool {
	return slices.ContainsFunc(r.Environment.GPUSettings, func(s result.GPUSetting) bool { return s.PowerLimitW != nil })
}
