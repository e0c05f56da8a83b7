package verify

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/record"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// Finding is one thing that [Record] looked at.
type Finding struct {
	What string
	OK   bool
	Seen string
}

// Record computes a record's figures again from its raw samples and requests, and
// the checksums of its files and of the record from what lies in dir. version is this
// llem's.
func Record(r *result.Record, dir, version string) []Finding {
	seen, ok := result.CheckRecord(dir)
	out := []Finding{{result.RecordFile, ok, seen}}
	for _, f := range r.Files {
		diff := f.Check(dir)
		out = append(out, Finding{f.Name, diff == "", cmp.Or(diff, "as it was written")})
	}
	if len(r.Files) == 0 {
		out = append(out, Finding{"files", false, "the record has no checksums: its run was cut off before they were taken"})
	}
	return append(out, guarded(r, dir, version)...)
}

// guarded is verifyFigures of a record that may hold anything: figures that no run
// leaves may end the arithmetic, and that is a finding of this record.
func guarded(r *result.Record, dir, version string) (out []Finding) {
	defer func() {
		if p := recover(); p != nil {
			out = []Finding{cannot(fmt.Errorf("the record or its rows hold what no run leaves (%v)", p))}
		}
	}()
	return verifyFigures(r, dir, version)
}

func cannot(err error) Finding {
	return Finding{"energy_total_j", false, "it cannot be computed again: " + err.Error()}
}

func verifyFigures(r *result.Record, dir, version string) []Finding {
	rows, err := r.ReadRequests(dir)
	if err != nil {
		return []Finding{cannot(err)}
	}
	var raw []result.SampleRow
	if r.SamplesFile != "" {
		if raw, err = r.ReadSamples(dir); err != nil {
			return []Finding{cannot(err)}
		}
	}
	text, err := result.ReadConfig(dir)
	if err != nil {
		return []Finding{cannot(err)}
	}
	e, err := study.FromJSON(text)
	if err != nil {
		return []Finding{cannot(fmt.Errorf("config: %w", err))}
	}
	again, err := record.Recompute(r, e, rows, raw)
	if err != nil {
		return []Finding{cannot(err)}
	}
	c := comparison{r: r, recomputed: again.Record(), version: version, unread: r.SamplesFile == "" && len(r.Environment.GPUs) > 0}
	out := c.findings()
	if !r.Older() && !c.unread {
		out = append(out, series(r, dir, again)...)
	}
	return append(out, bounds(again, r, dir, version, rows, raw)...)
}

// headline are the figures that are named also when they agree.
var headline = []string{
	"energy_total_j", "energy.u_repeatability_j", "energy_per_output_token", "baseline_power_w",
	"energy_adjusted_j", "energy.u_adjusted_j", "energy.engine_idle_power_w", "engine.startup_energy_j", "energy.steady.energy_j", "flops.flops_per_joule",
	"tokens_per_second", "tokens.output", "latency.ttft_ms.p50", "latency.tpot_ms.p50", "energy.valid",
}

// comparison holds a record's figures against those that are computed again.
type comparison struct {
	r, recomputed *result.Record
	version       string // of this llem
	unread        bool   // there were samples, and they were not kept
}

// findings are the figures that differ, and the headline where it does not.
func (c *comparison) findings() []Finding {
	r := c.r
	paths, of, err := differences(r, c.recomputed)
	if err != nil {
		return []Finding{{"energy", false, err.Error()}}
	}
	paths = slices.DeleteFunc(paths, func(path string) bool { return !c.compared(path) || c.tolerated(path, of) })
	var out []Finding
	if c.unread && (r.EnergyTotalJ != nil || len(r.Energy.CrossChecks) > 0) {
		out = append(out, Finding{"energy_total_j", false, "output.raw_samples was false: there is nothing to compute it from"})
	}
	for _, path := range headline {
		switch was, now := of(path); {
		case was == "nothing" || was == "null" || !c.compared(path):
		case was == now:
			out = append(out, Finding{path, true, was + ", " + source(r, path)})
		case c.tolerated(path, of):
			out = append(out, Finding{path, true, was + "; this llem, whose estimator is another, computes " + now})
		}
	}
	for _, check := range r.Energy.CrossChecks {
		if c.compared("energy.cross_checks") && !slices.ContainsFunc(paths, func(p string) bool { return strings.HasPrefix(p, "energy.cross_checks") }) {
			out = append(out, Finding{"check " + check.Method, true, fmt.Sprintf("%v, %s", check.EnergyJ, checkSource(r, check.Method))})
		}
	}
	slices.Sort(paths)
	for _, path := range paths {
		was, now := of(path)
		out = append(out, Finding{path, false, fmt.Sprintf("the record says %s, its samples and requests %s%s", was, now, c.otherVersion())})
	}
	warned := c.warnings()
	if len(paths)+len(warned) == 0 {
		out = append(out, Finding{"all other figures", true, "computed again; docs/verify.md lists what cannot be"})
	}
	return append(out, warned...)
}

// compared says whether a field is held to what is computed.
func (c *comparison) compared(path string) bool {
	path = bare(path)
	switch {
	case strings.HasPrefix(path, "measurement_warnings"):
		return false // see warnings
	case c.unread && ofSamples(path):
		return false
	case c.r.Older():
		return sinceOlder(path)
	case path == "window_started_at": // without samples it is what the record says
		return true
	case path == "workload_hash" && c.r.WindowSeconds == nil: // the digests of its files are recorded with the window
		return false
	case path == "config_hash" || path == "workload_hash":
		return !hides(c.r.Config)
	}
	return !isGiven(path)
}

// otherVersion says that another llem wrote the record, whose figures may come out
// otherwise.
func (c *comparison) otherVersion() string {
	if c.r.LlemVersion == c.version {
		return ""
	}
	return fmt.Sprintf(" (llem %s wrote it, and this is %s: verify it with the former too)", c.r.LlemVersion, c.version)
}

// ofSamples says whether a field is computed from samples.
func ofSamples(path string) bool {
	for _, under := range []string{"energy", "baseline_power_w", "engine.startup_energy_j", "environment.gpus.counter", "unknown", "warning_severities", "window_started_at"} {
		if strings.HasPrefix(path, under) {
			return true
		}
	}
	return strings.Contains(path, "joule") || strings.Contains(path, "good_token_j")
}

// hides says whether a configuration has a text that hides a secret.
func hides(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, inner := range v {
			if hides(inner) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, hides)
	case string:
		return strings.Contains(v, "REDACTED")
	}
	return false
}

// olderShare is how far the figures of an older llem's record may be from those of this
// one, which estimates energy otherwise: the share of the figure, or of the total where
// it is a difference.
const olderShare = 0.02

// tolerated says of a field of an older llem's record whether it is as near to what is
// computed now as that llem's estimator was, which gave figures that this one refuses.
func (c *comparison) tolerated(path string, of func(string) (string, string)) bool {
	if !c.r.Older() || !strings.Contains(path, "energy") && !strings.HasSuffix(path, "_w") {
		return false
	}
	was, now := of(path)
	a, aerr := strconv.ParseFloat(was, 64)
	b, berr := strconv.ParseFloat(now, 64)
	switch {
	case now == "null" || now == "nothing" || path == "energy.steady.method":
		return true
	case aerr != nil || berr != nil:
		return false
	case path == "energy_adjusted_j" && c.r.EnergyTotalJ != nil:
		return math.Abs(a-b) <= olderShare**c.r.EnergyTotalJ
	default:
		return math.Abs(a-b) <= olderShare*math.Max(math.Abs(a), math.Abs(b))
	}
}

// source is what a figure was held against.
func source(r *result.Record, path string) string {
	b := r.Energy.Baseline
	switch {
	case path == "energy_total_j" && slices.ContainsFunc(r.Energy.Instruments, func(i result.Instrument) bool { return i.Name == r.Energy.Method }):
		return "as " + r.Energy.Method + " gave it"
	case path == "baseline_power_w" && b != nil && b.Cached:
		return "as an earlier run gave it"
	}
	return "computed again"
}

func checkSource(r *result.Record, method string) string {
	for _, i := range r.Energy.Instruments {
		if i.Name == method {
			return "as " + method + " gave it; its difference and uncertainty computed again"
		}
	}
	return "computed again"
}

// differences are the figures in which two records differ, by path.
func differences(was, recomputed *result.Record) (paths []string, of func(path string) (was, again string), err error) {
	a, err := was.Leaves()
	if err != nil {
		return nil, nil, err
	}
	b, err := recomputed.Leaves()
	if err != nil {
		return nil, nil, err
	}
	all := map[string]bool{}
	for path := range a {
		all[path] = true
	}
	for path := range b {
		all[path] = true
	}
	for path := range all {
		if a[path] != b[path] {
			paths = append(paths, path)
		}
	}
	return paths, func(path string) (string, string) {
		return cmp.Or(a[path], "nothing"), cmp.Or(b[path], "nothing")
	}, nil
}
