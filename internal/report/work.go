package report

import (
	"github.com/llenergymeasure/llem/internal/result"
)

// work is what was done, and how fast.
func (d *Document) work(r *result.Record) {
	s := d.section("Work", fields)
	s.row("window", "%s", unit(r.WindowSeconds, "s"))
	s.row("requests", "%s completed, %s failed", whole(float64(r.Requests.Completed), ""), whole(float64(r.Requests.Failed), ""))
	s.row("tokens", "%s in, %s out (%s)", countOr(r.Tokens.Input, "unknown"), countOr(r.Tokens.Output, "unknown"), counter(r.Tokens))
	if n := r.Requests.SharedTokens; n != nil {
		s.row("shared prefixes", "%s tokens by design, %s found in the prefix cache", count(n), found(r))
	}
	throughput := say("%s", unit(r.TokensPerSecond, "tokens/s"))
	if why := r.Unknown["tokens_per_second"]; why != "" && r.Requests.Completed > 0 { // else the head says why
		throughput = say("– (%s)", why)
	}
	if len(r.Environment.GPUs) > 1 {
		throughput = say("%s (%s per GPU)", throughput, unit(r.TokensPerSecondPerGPU, "tokens/s"))
	}
	s.row("throughput", "%s", throughput)
	s.slo(r)
	s.account(r.Engine.Counters)
	s.host(r.Energy.Host)
}

// counter names what counted a run's tokens; of older records it is of both.
func counter(t result.Tokens) string {
	switch {
	case t.InputSource != "" && t.Input == nil && t.Output == nil:
		return "nothing counted them"
	case t.InputSource == "", t.InputSource == t.Source:
		return "counted by: " + dash(t.Source)
	case t.Input == nil:
		return "counted by: " + t.Source
	case t.Output == nil:
		return "counted by: " + t.InputSource
	}
	return "counted by: " + t.InputSource + ", " + t.Source
}

// found is how many prompt tokens the engine says that it found in its prefix cache.
func found(r *result.Record) prose {
	n := r.Tokens.Cached
	if n == nil && r.Engine.Counters != nil {
		n = r.Engine.Counters.CachedTokens
	}
	return countOr(n, "nobody says how many")
}

// slo is what came within the limits that were given.
func (rs *rows) slo(r *result.Record) {
	s := r.SLO
	if s == nil {
		return
	}
	var limits []prose
	for _, l := range []struct {
		name string
		v    *float64
	}{{"TTFT", s.TTFTMS}, {"TPOT", s.TPOTMS}, {"E2E", s.E2EMS}} {
		if l.v != nil {
			limits = append(limits, say(l.name+hard+"≤"+hard+"%s", short(*l.v, "ms")))
		}
	}
	energy := withGain(s.EnergyPerGoodTokenJ, s.UEnergyPerGoodTokenJ, r.Energy.CoverageK, gainWidth(r.EnergyTotalJ, totalWidths(r)))
	rs.row("within the SLO", "%s of %s (%s), %s", countOr(s.RequestsGood, "unknown"), plural(r.Requests.Completed+r.Requests.Failed, "request"), joined(", ", limits...),
		known(unit(s.RequestsPerSecond, "requests/s"), unit(s.OutputTokensPerSecond, "tokens/s"), both(s.EnergyPerGoodTokenJ, energy, "J/good token")))
}

// account is where the engine itself says that its requests spent their time.
func (rs *rows) account(c *result.EngineCounters) {
	if c == nil {
		return
	}
	var parts []prose
	for _, s := range []struct {
		name string
		v    *float64
	}{{"queued", c.QueueSeconds}, {"prefill", c.PrefillSeconds}, {"decode", c.DecodeSeconds}} {
		if s.v != nil {
			parts = append(parts, say(s.name+hard+"%s", unit(s.v, "s")))
		}
	}
	if c.AcceptanceLength != nil {
		parts = append(parts, say("%s"+hard+"tokens accepted a step", unit(c.AcceptanceLength, "")))
	}
	if n := c.Preemptions; n != nil && *n > 0 {
		parts = append(parts, say(plural(int(*n), "preemption")))
	}
	if len(parts) > 0 {
		rs.row("by the engine", "%s (summed over requests)", joined(", ", parts...))
	}
}

// host gives the energy of the host's CPUs, which no GPU figure contains.
func (rs *rows) host(h *result.HostEnergy) {
	if h == nil {
		return
	}
	var memory prose
	if h.DRAMJ != nil {
		memory = say(", memory %s", unit(h.DRAMJ, "J"))
	}
	rs.row("host", "CPU %s%s (in no figure above, by %s)", unit(h.PackageJ, "J"), memory, h.Method)
}
