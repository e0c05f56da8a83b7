package study

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/llenergymeasure/llem/internal/pattern"
)

// Execution is how a study's points are run.
type Execution struct {
	Cycles                   int     `yaml:"cycles" json:"cycles"`
	Order                    string  `yaml:"order" json:"order"`     // sequential | interleave | shuffle | latin_square
	Seed                     *int64  `yaml:"seed" json:"seed"`       // of shuffle and latin_square; nil: from the study's hash
	Restart                  string  `yaml:"restart" json:"restart"` // experiment | engine_change
	GapSeconds               float64 `yaml:"gap_seconds" json:"gap_seconds"`
	CycleGapSeconds          float64 `yaml:"cycle_gap_seconds" json:"cycle_gap_seconds"`
	ExperimentTimeoutSeconds float64 `yaml:"experiment_timeout_seconds" json:"experiment_timeout_seconds"` // from when the server is ready; 0: no limit
	MaxConsecutiveFailures   int     `yaml:"max_consecutive_failures" json:"max_consecutive_failures"`     // 0: none ends the study
	TimeoutHours             float64 `yaml:"timeout_hours" json:"timeout_hours"`                           // of the whole study; 0: no limit
}

// Orders of the runs of a study.
const (
	Sequential  = "sequential"
	Interleave  = "interleave"
	Shuffle     = "shuffle"
	LatinSquare = "latin_square"
)

// EngineChange is the value of execution.restart that keeps a container while
// the engine's spec is the same.
const EngineChange = "engine_change"

// executionKeys are the keys below execution.
var executionKeys = []key{
	{path: "execution.cycles", kind: integer, def: 3, min: 1, max: 10000, doc: "How often each point is run. latin_square rounds up to whole squares."},
	{path: "execution.order", kind: text, def: Shuffle, enum: []string{Sequential, Interleave, Shuffle, LatinSquare}, doc: "sequential: all cycles of a point, then the next point, without verdicts; interleave: every point once, then again; shuffle: each cycle in an order of its own; latin_square: Williams's, in which every point follows every other equally often."},
	{path: "execution.seed", kind: integer, note: "from the study's hash", min: 0, max: 1 << 53, doc: "Of shuffle and latin_square."},
	{path: "execution.restart", kind: text, def: "experiment", enum: []string{"experiment", EngineChange}, doc: "experiment: a fresh container for each; engine_change: kept while the engine's spec is the same."},
	{path: "execution.gap_seconds", kind: number, def: 60.0, min: 0, max: pattern.Week, note: "60; 0 with --quick", doc: "Pause between experiments; skipped where a container is started between them."},
	{path: "execution.cycle_gap_seconds", kind: number, def: 300.0, min: 0, max: pattern.Week, note: "300; 0 with --quick", doc: "Pause between cycles, in place of gap_seconds; skipped where a container is started between them. sequential has no such pause."},
	{path: "execution.experiment_timeout_seconds", kind: number, note: "no limit", min: 1, max: pattern.Week, doc: "An experiment is given up this long after its server is ready."},
	{path: "execution.max_consecutive_failures", kind: integer, def: 3, min: 0, max: 1e6, doc: "As many failures in a row end the study; 0 never does."},
	{path: "execution.timeout_hours", kind: number, note: "no limit", min: 0.001, max: 8784, doc: "The study ends after so long."},
}

// defaultExecution is what holds where the file says nothing. A --quick study, which
// is for trying things, waits for nothing.
func defaultExecution(quick bool) Execution {
	var x Execution
	for _, k := range executionKeys {
		if k.def != nil {
			f := fieldOf(reflect.ValueOf(&x).Elem(), strings.TrimPrefix(k.path, "execution."))
			f.Set(reflect.ValueOf(k.def).Convert(f.Type()))
		}
	}
	if quick {
		x.GapSeconds, x.CycleGapSeconds = 0, 0
	}
	return x
}

// read reads the group of that name.
func (x *Execution) read(r *reader, n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		r.bad(n, "execution", "is a group of keys (%s), not a value", strings.Join(executionNames(), ", "))
		return
	}
	pairs, _ := r.pairs("execution", n)
	for _, p := range pairs {
		x.readKey(r, "execution."+p.key.Value, p)
	}
}

func (x *Execution) readKey(r *reader, path string, p pair) {
	k, ok := executionRow(path)
	if !ok {
		hint := "here stand " + strings.Join(executionNames(), ", ")
		if near := nearest(strings.ReplaceAll(p.key.Value, "-", "_"), executionNames()); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		r.bad(p.key, path, "unknown key; %s", hint)
		return
	}
	f := fieldOf(reflect.ValueOf(x).Elem(), strings.TrimPrefix(path, "execution."))
	if p.value.Kind == yaml.ScalarNode && p.value.Tag == "!!null" {
		if p.value.Value == "" || k.def != nil {
			r.bad(p.key, path, "blank: give a value or leave the key out")
			return
		}
		f.SetZero() // the default, whatever stood below
		return
	}
	into := f
	if f.Kind() == reflect.Pointer {
		into = reflect.New(f.Type().Elem()).Elem()
	}
	if err := storeScalar(k, into, p.value, false); err != nil {
		r.bad(p.value, path, "%v", err)
		return
	}
	if f.Kind() == reflect.Pointer {
		f.Set(into.Addr())
	}
}

func executionRow(path string) (key, bool) {
	i := slices.IndexFunc(executionKeys, func(k key) bool { return k.path == path })
	if i < 0 {
		return key{}, false
	}
	return executionKeys[i], true
}

func executionNames() []string {
	out := make([]string, len(executionKeys))
	for i, k := range executionKeys {
		out[i] = strings.TrimPrefix(k.path, "execution.")
	}
	return out
}
