package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// condition is one instrument under one shape of load, on so many GPUs.
type condition struct {
	instrument instrument
	shape      shape
	gpus       int
}

func (c condition) name() string {
	return fmt.Sprintf("%s: %s / %s / %d", c.instrument.family, c.instrument.name, c.shape.name, c.gpus)
}

// plan says which shapes and numbers of GPUs the instruments of a family are tried
// with; name, where it is given, is of those whose name has it in it.
type plan struct {
	family, name string
	shapes       string
	gpus         []int
}

var plans = []plan{
	{"looks all the time, shows at once", "GA10x", "constant flat ramp llm drain bursty square end_spike late_start tail busy_before", []int{1}},
	{"looks all the time, shows at once", "GA10x", "constant llm", []int{2, 4, 8}},
	{"looks all the time, shows at once", "", "constant llm", []int{1}},
	{"looks all the time, shows at once", "500 ms", "busy_before end_spike late_start", []int{1}},
	{"looks all the time, shows at once", "500 ms", "constant llm", []int{4}},
	{"looks in part, counter adds up the looks", "", "constant ramp", []int{1}},
	{"looks in part, counter adds up the looks", "H100", "llm", []int{1}},
	{"looks in part, counter adds up the looks", "H100, last quarter", "late_start busy_before", []int{1}},
	{"looks in part, counter adds up the looks", "H100, last quarter", "constant", []int{4}},
	{"powers look in part, counter misses nothing", "", "constant ramp", []int{1}},
	{"powers look in part, counter misses nothing", "H100", "constant", []int{2, 4, 8}},
	{"powers look in part, counter misses nothing", "H100", "llm bursty", []int{1}},
	{"shows late", "", "constant", []int{1}},
	{"shows late", "30 ms", "llm", []int{1}},
	{"shows late", "50 ms", "llm", []int{1}},
	{"slow calls", "", "constant llm", []int{1}},
	{"slow calls", "5 to 30 ms", "constant", []int{4}},
	{"steps and ticks", "", "constant", []int{1}},
	{"steps and ticks", "of 15 J", "llm", []int{1}},
	{"steps and ticks", "jitter", "llm", []int{1}},
	{"powers and counter apart", "", "constant llm", []int{1}},
	{"several at once", "", "constant llm ramp", []int{1}},
	{"several at once", "", "constant", []int{4}},
	{"no counter", "", "constant llm", []int{1}},
	{"counter at fault", "", "constant", []int{1}},
	{"looks all the time, shows at once", "GA10x", "run run_--quick", []int{1, 4}},
	{"looks all the time, shows at once", "500 ms", "run run_--quick", []int{1}},
	{"looks in part, counter adds up the looks", "H100, last quarter", "run", []int{1}},
	{"looks in part, counter adds up the looks", "H100, first quarter", "run", []int{1}},
	{"looks in part, counter adds up the looks", "V100, half", "run", []int{1}},
	{"powers look in part, counter misses nothing", "H100", "run", []int{1}},
	{"shows late", "by 30 ms", "run", []int{1}},
	{"slow calls", "5 to 30 ms", "run", []int{1}},
	{"steps and ticks", "15 J", "run", []int{1}},
	{"no counter", "powers at", "run", []int{1}},
}

// conditions are those of the plans whose name the expression matches.
func conditions(only *regexp.Regexp) (out []condition, err error) {
	seen := map[string]bool{}
	for _, p := range plans {
		used := false
		for _, in := range instruments {
			if in.family != p.family || !strings.Contains(in.name, p.name) {
				continue
			}
			used = true
			for _, name := range strings.Fields(p.shapes) {
				i := slices.IndexFunc(shapes, func(s shape) bool { return s.name == strings.ReplaceAll(name, "_", " ") })
				if i < 0 {
					return nil, fmt.Errorf("no shape %q", name)
				}
				for _, n := range p.gpus {
					c := condition{in, shapes[i], n}
					if !seen[c.name()] && only.MatchString(c.name()) {
						seen[c.name()] = true
						out = append(out, c)
					}
				}
			}
		}
		if !used {
			return nil, fmt.Errorf("no instrument %q of the family %q", p.name, p.family)
		}
	}
	return out, nil
}
