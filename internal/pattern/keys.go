package pattern

import (
	"regexp"
	"slices"
	"strings"
)

// Week bounds a schedule, in seconds.
const Week = 7 * 24 * 3600

// Key is one key of workload.load. What kind of value it takes, the field of [Load] says.
type Key struct {
	Name     string // as in the file and in docs
	Default  any    // nil: none
	Note     string // what the default is where that is nil; empty: who needs the key
	Min, Max float64
	Match    *regexp.Regexp    // of a string, or of each in a list; nil: any
	Hint     string            // follows a value that does not match
	Doc      string            // the key's meaning
	Instead  string            // follows the error where another pattern has it
	Wrong    func(Load) string // why a value that keeps the limits cannot be; empty: it can
}

// Keys that several patterns have.
var (
	ratePerSecond = Key{Name: "rate_per_second", Min: 1e-6, Max: 1e6, Doc: "Requests a second, in the mean; of ramp at its beginning."}
	maxInFlight   = Key{Name: "max_in_flight", Default: 0, Min: 0, Max: 100000, Instead: ": use concurrency",
		Doc: "Most requests at once of every pattern but closed; 0 is no limit, which a trace must have. A request that must wait is late: see send_lag_ms."}
)

// Keys lists the keys of all patterns, each once, in the order in which the table has
// them.
func Keys() []Key {
	var out []Key
	for _, p := range patterns {
		for _, k := range slices.Concat(p.Needs, p.May) {
			if has(out, k.Name) {
				continue
			}
			if needs, _ := Of(k); k.Note == "" && k.Default == nil && len(needs) > 0 {
				k.Note = "required for " + words(needs)
			}
			out = append(out, k)
		}
	}
	return out
}

// Of lists the patterns that need a key, and those that may have it.
func Of(k Key) (needs, may []string) {
	for _, p := range patterns {
		switch {
		case has(p.Needs, k.Name):
			needs = append(needs, p.Name)
		case p.may(k.Name):
			may = append(may, p.Name)
		}
	}
	return needs, may
}

func (p *pattern) may(key string) bool {
	return has(p.May, key) || key == maxInFlight.Name && !p.Closed
}

// Needs says whether the load's pattern needs a key.
func (l Load) Needs(key string) bool { return has(l.row().Needs, key) }

// Takes says whether the load's pattern needs a key or may have it.
func (l Load) Takes(key string) bool { return l.Needs(key) || l.row().may(key) }

// Rated says whether the load's rate is rate_per_second.
func (l Load) Rated() bool { return l.Needs(ratePerSecond.Name) }

func has(keys []Key, name string) bool {
	for i := range keys {
		if keys[i].Name == name {
			return true
		}
	}
	return false
}

// words is a list of words with an "and" before the last.
func words(list []string) string {
	last := len(list) - 1
	if last == 0 {
		return list[0]
	}
	return strings.Join(list[:last], ", ") + " and " + list[last]
}
