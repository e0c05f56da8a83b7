package report

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
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

// Columns of the table of several records: of a row's name, and of a value at
// least.
const (
	nameWidth  = 15
	valueWidth = 20
)

// Side writes the main figures of several records beside each other, as many in
// a row of columns as fit, and says what keeps them from being compared.
func Side(w io.Writer, list []Entry, opt Options) error {
	p := newPrinter(nil, opt)
	fit := max(2, (p.width-nameWidth-2)/(valueWidth+1))
	for first := 0; first < len(list); first += fit {
		if first > 0 {
			fmt.Fprintln(&p.b)
		}
		p.columns(list[first:min(first+fit, len(list))], first)
	}
	p.unlike(list)
	p.section("Results")
	for i, e := range list {
		p.row(Letter(i), "%s", strings.ReplaceAll(e.Dir, " ", hard))
	}
	return p.print(w)
}

// Letter names a column: A, B, … Z, A1, B1.
func Letter(i int) string {
	name := string(rune('A' + i%26))
	if i >= 26 {
		name += fmt.Sprint(i / 26)
	}
	return name
}

// sideRow is one line of the table.
type sideRow struct {
	name string
	of   func(*result.Record) string
}

var sideRows = []sideRow{
	{"name", func(r *result.Record) string { return r.Name }},
	{"engine", func(r *result.Record) string { return r.Engine.Called() }},
	{"model", modelName},
	{"status", status},
	{"", nil},
	{"J/token", func(r *result.Record) string { return state(r.EnergyPerOutputToken, perTokenWidths(r)).value }},
	{"± repeatability", func(r *result.Record) string { return state(r.EnergyPerOutputToken, perTokenWidths(r)).repeatability }},
	{"± absolute", func(r *result.Record) string { return state(r.EnergyPerOutputToken, perTokenWidths(r)).absolute }},
	{"total J", func(r *result.Record) string { return state(r.EnergyTotalJ, totalWidths(r)).value }},
	{"± repeatability", func(r *result.Record) string { return state(r.EnergyTotalJ, totalWidths(r)).repeatability }},
	{"± absolute", func(r *result.Record) string { return state(r.EnergyTotalJ, totalWidths(r)).absolute }},
	{"adjusted J", func(r *result.Record) string { return state(r.EnergyAdjustedJ, adjustedWidths(r)).value }},
	{"± repeatability", func(r *result.Record) string { return state(r.EnergyAdjustedJ, adjustedWidths(r)).repeatability }},
	{"± absolute", func(r *result.Record) string { return state(r.EnergyAdjustedJ, adjustedWidths(r)).absolute }},
	{"", nil},
	{"mean W", func(r *result.Record) string { return unit(r.Energy.MeanPowerW, "") }},
	{"tokens/s", func(r *result.Record) string { return unit(r.TokensPerSecond, "") }},
	{"window s", func(r *result.Record) string { return unit(r.WindowSeconds, "") }},
	{"requests", func(r *result.Record) string { return grouped(int64(r.Requests.Completed)) }},
	{"tokens in", func(r *result.Record) string { return countOr(r.Tokens.Input, "–") }},
	{"tokens out", func(r *result.Record) string { return countOr(r.Tokens.Output, "–") }},
	{"TTFT p50 ms", func(r *result.Record) string { return median(r.Latency.TTFT) }},
	{"TPOT p50 ms", func(r *result.Record) string { return median(r.Latency.TPOT) }},
	{"E2E p50 ms", func(r *result.Record) string { return median(r.Latency.E2E) }},
	{"FLOP/J", func(r *result.Record) string {
		if r.FLOPs == nil {
			return "–"
		}
		return si(r.FLOPs.FLOPsPerJoule, "")
	}},
	{"warnings", warningCount},
}

func (p *printer) columns(list []Entry, first int) {
	wide := (p.width-nameWidth-2)/len(list) - 1
	line := func(name string, of func(i int, r *result.Record) string) {
		fmt.Fprintf(&p.b, "  %-*s", nameWidth, name)
		for i, e := range list {
			text := strings.TrimRight(dash(clean(of(i, e.Record))), hard+" ")
			if columns(text) > wide {
				text = string([]rune(text)[:wide-1]) + "…"
			}
			fmt.Fprintf(&p.b, " %*s", wide, text)
		}
		fmt.Fprintln(&p.b)
	}
	line("", func(i int, _ *result.Record) string { return Letter(first + i) })
	for _, row := range sideRows {
		if row.of == nil {
			fmt.Fprintln(&p.b)
			continue
		}
		line(row.name, func(_ int, r *result.Record) string { return row.of(r) })
	}
}

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

func median(s *result.Summary) string {
	if s == nil {
		return "–"
	}
	return number(s.P50)
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
func (p *printer) unlike(list []Entry) {
	var notes []string
	for _, c := range []struct {
		of   func(*result.Record) string
		note string
	}{
		{sent, "the requests differ: other prompts or lengths (requests.prompt_checksum)"},
		{func(r *result.Record) string { return r.Energy.Scope }, "the energies are of different scope (GPUs, modules with their CPUs, or the host): do not compare them"},
		{func(r *result.Record) string { return r.Model.ID }, "the models differ"},
		{gpuNames, "the GPUs differ"},
		{func(r *result.Record) string {
			return countOr(r.Tokens.Input, "–") + " " + countOr(r.Tokens.Output, "–")
		}, "the token counts differ, so that the work was not equal"},
	} {
		if slices.ContainsFunc(list, func(e Entry) bool { return c.of(e.Record) != c.of(list[0].Record) }) {
			notes = append(notes, c.note)
		}
	}
	fmt.Fprintln(&p.b)
	if len(notes) == 0 {
		p.wrap("  ", "  ", "The same requests, model, GPUs and token counts. "+sideNote)
	}
	for _, n := range notes {
		p.wrap("  unlike: ", "          ", n)
	}
	if len(notes) > 0 {
		p.wrap("  ", "  ", sideNote)
	}
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
