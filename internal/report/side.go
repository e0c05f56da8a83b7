package report

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/result"
)

// Entry is one of several records that are shown beside each other.
type Entry struct {
	Record *result.Record
	Dir    string
	Cycle  string // in which it ran, where runs of one cycle belong together; else empty
}

// Side is the document of the main figures of several records beside each other. It says
// what keeps them from being compared.
func Side(list []Entry) *Document {
	d := &Document{}
	s := d.section("", sideTable)
	for i := range list {
		s.columns = append(s.columns, column{title: Letter(i)})
	}
	for _, of := range sideRows {
		r := row{label: of.name}
		for _, e := range list {
			if of.of != nil {
				r.cells = append(r.cells, of.of(e.Record))
			}
		}
		s.rows = append(s.rows, r)
	}
	s.unlike(list)
	where := d.section("Results", fields)
	for i, e := range list {
		where.row(Letter(i), "%s", unbroken(e.Dir))
	}
	return d
}

// Letter names a column: A, B, … Z, A1, B1.
func Letter(i int) string {
	name := string(rune('A' + i%26))
	if i >= 26 {
		name += fmt.Sprint(i / 26)
	}
	return name
}

// sideRow is one row of the table; of is nil where groups of rows part.
type sideRow struct {
	name string
	of   func(*result.Record) prose
}

var sideRows = []sideRow{
	{"name", func(r *result.Record) prose { return word(r.Name) }},
	{"engine", func(r *result.Record) prose { return word(r.Engine.Called()) }},
	{"model", func(r *result.Record) prose { return word(modelName(r)) }},
	{"status", func(r *result.Record) prose { return word(status(r)) }},
	{},
	{"J/token", stateds(perToken, 0)}, {"± repeatability", stateds(perToken, 1)}, {"± absolute", stateds(perToken, 2)},
	{"total J", stateds(total, 0)}, {"± repeatability", stateds(total, 1)}, {"± absolute", stateds(total, 2)},
	{"adjusted J", stateds(adjusted, 0)}, {"± repeatability", stateds(adjusted, 1)}, {"± absolute", stateds(adjusted, 2)},
	{},
	{"mean W", func(r *result.Record) prose { return say("%s", unit(r.Energy.MeanPowerW, "")) }},
	{"tokens/s", func(r *result.Record) prose { return say("%s", unit(r.TokensPerSecond, "")) }},
	{"window s", func(r *result.Record) prose { return say("%s", unit(r.WindowSeconds, "")) }},
	{"requests", func(r *result.Record) prose { return say("%s", whole(float64(r.Requests.Completed), "")) }},
	{"tokens in", func(r *result.Record) prose { return say("%s", count(r.Tokens.Input)) }},
	{"tokens out", func(r *result.Record) prose { return say("%s", count(r.Tokens.Output)) }},
	{"TTFT p50 ms", func(r *result.Record) prose { return median(r.Latency.TTFT) }},
	{"TPOT p50 ms", func(r *result.Record) prose { return median(r.Latency.TPOT) }},
	{"E2E p50 ms", func(r *result.Record) prose { return median(r.Latency.E2E) }},
	{"FLOP/J", func(r *result.Record) prose {
		if r.FLOPs == nil {
			return word("")
		}
		return say("%s", si(r.FLOPs.FLOPsPerJoule, ""))
	}},
	{"warnings", func(r *result.Record) prose { return word(warningCount(r)) }},
}

// word is a text, or a dash for none.
func word(s string) prose { return say("%s", strings.TrimRight(dash(s), hard+" ")) }

// stateds is the i-th of what is stated of an energy.
func stateds(of func(*result.Record) (*float64, widths), i int) func(*result.Record) prose {
	return func(r *result.Record) prose { return say("%s", stated(of(r))[i]) }
}

func perToken(r *result.Record) (*float64, widths) { return r.EnergyPerOutputToken, perTokenWidths(r) }

func total(r *result.Record) (*float64, widths) { return r.EnergyTotalJ, totalWidths(r) }

func adjusted(r *result.Record) (*float64, widths) { return r.EnergyAdjustedJ, adjustedWidths(r) }

// modelName is a model's name without the folder in which it lies.
func modelName(r *result.Record) string {
	if path.IsAbs(r.Model.ID) {
		return path.Base(r.Model.ID)
	}
	return r.Model.ID
}

// status says of a figure that is none, or that is not to be believed.
func status(r *result.Record) string {
	switch {
	case r.Status != result.Completed:
		return strings.ToUpper(r.Status)
	case r.EnergyTotalJ == nil:
		return "NO ENERGY FIGURE"
	case !r.Energy.Valid:
		return "INVALID ENERGY"
	}
	return r.Status
}

func median(s *result.Summary) prose {
	if s == nil {
		return word("")
	}
	return say("%s", value(s.P50, ""))
}

// warningCount counts warnings by how grave they are, the worst first.
func warningCount(r *result.Record) string {
	n := map[string]int{}
	for _, w := range r.MeasurementWarnings {
		code, _, _ := strings.Cut(w, ":")
		n[r.WarningSeverities[code]]++
	}
	var out []string
	for _, s := range []string{"invalid", "doubt", "note"} {
		if n[s] > 0 {
			out = append(out, fmt.Sprintf("%d"+hard+"%s", n[s], s))
		}
	}
	return strings.Join(out, hard)
}

// unlike says in what the records differ that their figures depend on.
func (s *section) unlike(list []Entry) {
	for _, c := range []struct {
		of   func(*result.Record) string
		note string
	}{
		{sent, "the requests differ: other prompts or lengths (requests.prompt_checksum)"},
		{func(r *result.Record) string { return r.Energy.Scope }, "the energies are of different scope (GPUs, modules with their CPUs, or the host): do not compare them"},
		{func(r *result.Record) string { return r.Model.ID }, "the models differ"},
		{gpuNames, "the GPUs differ"},
		{tokens, "the token counts differ, so that the work was not equal"},
	} {
		if slices.ContainsFunc(list, func(e Entry) bool { return c.of(e.Record) != c.of(list[0].Record) }) {
			s.note("unlike", c.note)
		}
	}
	if s.notes == nil {
		s.note("", "The same requests, model, GPUs and token counts. "+sideNote)
		return
	}
	s.note("", sideNote)
}

// sideNote says what the intervals are.
const sideNote = "± repeatability is of one run, for runs on one card, without the spread of repeated runs; ± absolute has the gain of the card's sensor too. A figure has no more digits than the wider one bears. `llem compare` says which differences are real."

// sent is what was sent, where that is known; else what was asked to be. Of a closed
// loop that goes on for seconds it is of what the requests are: a faster server, or
// more at once, is sent more of them.
func sent(r *result.Record) string {
	c := r.ConfigValues()
	if !bySeconds(c) {
		return cmp.Or(r.Requests.PromptChecksum, r.WorkloadHash)
	}
	h := sha256.New()
	for _, key := range slices.Sorted(maps.Keys(c)) {
		of := strings.HasPrefix(key, "workload.") && !strings.HasPrefix(key, "workload.load.") && key != "workload.prompts" && !strings.HasSuffix(key, "_seconds")
		if of || key == "model" || key == "revision" || key == "seed" {
			fmt.Fprintf(h, "%s=%v\n", key, c[key])
		}
	}
	q := r.Requests
	fmt.Fprintln(h, q.SourceSHA256, q.LengthsSHA256)
	return fmt.Sprintf("sha256:%x", h.Sum(nil))
}

// bySeconds says that time decides how many requests a configuration sends.
func bySeconds(config map[string]any) bool {
	_, least := config["workload.min_seconds"]
	_, most := config["workload.max_seconds"]
	name, _ := config["workload.load.pattern"].(string)
	return (least || most) && !pattern.Load{Pattern: name}.Open()
}

func gpuNames(r *result.Record) string {
	var names []string
	for _, g := range r.Environment.GPUs {
		names = append(names, g.Name)
	}
	return strings.Join(names, ", ")
}
