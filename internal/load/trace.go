package load

import (
	"fmt"
	"time"

	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/study"
)

// cut leaves of the trace what is sent, which is all of it where it ended. It refuses
// a trace that is shorter than what is asked of it.
func (p *Schedule) cut(w study.Workload, ended bool) error {
	t := &p.Trace
	t.Arrivals = t.Arrivals[:p.N]
	p.Sizes = func(i int) Size {
		a := t.Arrivals[i%len(t.Arrivals)]
		return Size{a.Input, a.Output}
	}
	last := t.Arrivals[p.N-1].Due.Seconds()
	switch {
	case ended && p.N < w.Prompts:
		return fmt.Errorf("workload.load.file: %s holds %d requests, workload.prompts asks for %d: set workload.prompts: %d", t.Path, p.N, w.Prompts, p.N)
	case ended && last < w.MinSeconds:
		return fmt.Errorf("workload.load.file: %s ends after %.1f s, before workload.min_seconds %g: lower it", t.Path, last, w.MinSeconds)
	}
	return fitsTrace(w, *t)
}

// fitsTrace refuses requests that are longer than the workload lets them be, and a
// schedule that is longer than any may be.
func fitsTrace(w study.Workload, t pattern.Trace) error {
	const longest = pattern.Week * time.Second
	in, out := 0, 0
	for _, a := range t.Arrivals {
		in, out = max(in, a.Input), max(out, a.Output)
	}
	for _, a := range t.Arrivals {
		wrong := func(format string, args ...any) error {
			return fmt.Errorf("workload.load.file: %s:%d: "+format, append([]any{t.Path, a.Line}, args...)...)
		}
		switch {
		case w.Prefix.Length > 0 && a.Input < w.Prefix.Length+study.OwnTokens:
			return wrong("a prompt of %d tokens leaves fewer than %d of its own after the %d of workload.shared_prefix", a.Input, study.OwnTokens, w.Prefix.Length)
		case a.Input > w.MaxInputTokens:
			return wrong("a prompt of %d tokens is longer than workload.max_input_tokens %d: raise it, to %d for all that are sent", a.Input, w.MaxInputTokens, in)
		case a.Output > w.MaxOutputTokens:
			return wrong("an answer of %d tokens is longer than workload.max_output_tokens %d: raise it, to %d for all that are sent", a.Output, w.MaxOutputTokens, out)
		case a.Due > longest:
			return wrong("the request comes %.1f days after the first, and a schedule may take 7: lower workload.prompts, or set workload.max_seconds", a.Due.Hours()/24)
		}
	}
	return nil
}

// Gap is the longest time that an open loop leaves without a request, and the
// request after which it does, from 0.
func (p Schedule) Gap() (longest time.Duration, after int) {
	for i := range p.N - 1 {
		a, _ := p.Pattern.At(i)
		b, _ := p.Pattern.At(i + 1)
		if b-a > longest {
			longest, after = b-a, i
		}
	}
	return longest, after
}

// Busiest is the most requests that an open loop has due within any second.
func (p Schedule) Busiest() int {
	most, from := 0, 0
	for i := range p.N {
		at, _ := p.Pattern.At(i)
		for first, _ := p.Pattern.At(from); at-first >= time.Second; first, _ = p.Pattern.At(from) {
			from++
		}
		most = max(most, i+1-from)
	}
	return most
}
