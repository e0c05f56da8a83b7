package engine

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// docTable is a table of a page that is written from the rows: what it begins with, by
// which it is found, and the lines below that.
type docTable struct {
	page, head string
	lines      func([]*Engine) string
}

var docTables = []docTable{
	{"README.md", "| engine | checked | equal length | engine | checked | equal length |\n|---|---|---|---|---|---|\n", readmeLines},
	{"docs/engines.md", "| engine | how it was checked | image | token ids | ignore EOS | counters | prefix cache |\n|---|---|---|---|---|---|---|\n", each(overview)},
	{"docs/engines.md", "| engine | how |\n|---|---|\n", each(keyCells)},
	{"docs/engines.md", "| engine | set always | from the experiment |\n|---|---|---|\n" +
		"| all | host, port; the mounted model's path, else its name and `revision`; the name by which requests ask for it | `dtype`, `parallel`, `engine.container` |\n", each(setCells)},
	{"docs/engines.md", "| engine | in every request |\n|---|---|\n", each(samplingCells)},
	{"docs/engines.md", "| engine | prefix cache off |\n|---|---|\n", each(uncachedCells)},
	{"docs/engines.md", "| engine | emptied by | proven by | checked |\n|---|---|---|---|\n", each(keptCells)},
	{"docs/engines.md", "| engine | folders |\n|---|---|\n", each(folderCells)},
}

// With -update the tables are written.
func TestTheDocumentedEngines(t *testing.T) {
	for _, table := range docTables {
		path := "../../" + table.page
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		before, rest, ok := strings.Cut(string(b), table.head)
		if !ok {
			t.Fatalf("%s has no table that begins with %s", table.page, table.head)
		}
		documented, after, _ := strings.Cut(rest, "\n\n")
		want := table.lines(engines)
		if *update {
			if err := os.WriteFile(path, []byte(before+table.head+want+"\n"+after), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if diff := cmp.Diff(want, documented+"\n"); diff != "" {
			t.Errorf("%s: -want +documented (go test -update rewrites it):\n%s", table.page, diff)
		}
	}
}

// each writes a line for all engines with the same cells; one that has none is left out.
func each(cells func(*Engine) []string) func([]*Engine) string {
	return func(list []*Engine) string {
		var order []string
		names := map[string][]string{}
		for _, e := range list {
			text := strings.Join(cells(e), " | ")
			if text == "" {
				continue
			}
			if names[text] == nil {
				order = append(order, text)
			}
			names[text] = append(names[text], "`"+e.name+"`")
		}
		var b strings.Builder
		for _, text := range order {
			fmt.Fprintf(&b, "| %s | %s |\n", strings.Join(names[text], ", "), text)
		}
		return b.String()
	}
}

// readmeLines have two engines each, for the page to stay short.
func readmeLines(list []*Engine) string {
	half := (len(list) + 1) / 2
	var b strings.Builder
	for i := range half {
		for j := i; j < len(list); j += half {
			e := list[j]
			how, _, _ := strings.Cut(e.docs.run, ",")
			if how = "run, " + how; e.docs.run == "" {
				how = "by specification"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s ", e.name, how, yesNo(e.traits.IgnoreEOS))
		}
		b.WriteString("|\n")
	}
	return b.String()
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

func overview(e *Engine) []string {
	checked := "by specification " + e.traits.Versions
	switch {
	case e.docs.run != "" && e.traits.Upstream != "":
		checked = "run: " + e.docs.run + "; " + checked
	case e.docs.run != "":
		checked = "run: " + e.docs.run
	}
	return []string{checked, imageCell(e), yesNo(e.traits.TokenIDs), yesNo(e.traits.IgnoreEOS), countsCell(e), e.docs.hits}
}

func imageCell(e *Engine) string {
	if e.traits.Upstream == "" {
		return e.docs.image
	}
	repository, tag, _ := strings.Cut(e.upstream("", true), ":")
	other, otherTag, _ := strings.Cut(e.upstream("", false), ":")
	cell := "`" + repository + "`"
	switch {
	case other != repository:
		cell += " (without a GPU `" + other + "`)"
	case otherTag != tag:
		cell += " (`" + tag + "`, or `" + otherTag + "` without a GPU)"
	case tag != "latest":
		cell += " (a bare name means tag " + tag + ")"
	}
	return cell
}

// countsCell leaves out what the prefix cache gave: that has its own cell.
func countsCell(e *Engine) string {
	var out []string
	for _, group := range []struct {
		name string
		of   []Quantity
	}{
		{"tokens", []Quantity{PromptTokens, OutputTokens}},
		{"queue time", []Quantity{QueueSeconds}},
		{"prefill and decode time", []Quantity{PrefillSeconds, DecodeSeconds}},
		{"multiply-adds", []Quantity{MultiplyAdds}},
		{"running and waiting", []Quantity{Running, Waiting}},
		{"preemptions", []Quantity{Preemptions}},
		{"speculation", []Quantity{Drafts, AcceptedTokens}},
	} {
		counted := func(q Quantity) bool {
			return slices.ContainsFunc(e.counts, func(m metric) bool { return m.of == q })
		}
		if !slices.ContainsFunc(group.of, func(q Quantity) bool { return !counted(q) }) {
			out = append(out, group.name)
		}
	}
	switch text := strings.Join(out, ", "); {
	case text == "":
		return "none"
	case e.docs.counts != "":
		return text + ", " + e.docs.counts
	default:
		return text
	}
}

func keyCells(e *Engine) []string {
	switch k := e.key; {
	case e.traits.Running:
		return nil
	case k.file != "":
		return []string{"a file in the container, by `--" + k.file + "`"}
	case k.variable != "":
		return []string{"`" + k.variable + "` in the container's environment"}
	case len(k.flags) > 0:
		return []string{"refused: it takes it on its command line alone. `engine.args` (`" + strings.Join(k.flags, "`, `") + "`) can say it, where every user of the host can read it"}
	}
	return []string{"refused: its server asks for none"}
}

func setCells(e *Engine) []string {
	if e.traits.Running {
		return nil
	}
	return []string{e.docs.always, e.docs.asked}
}

func samplingCells(e *Engine) []string {
	switch {
	case e.traits.Running:
		return nil
	case len(e.sampling) > 0:
		return []string{"not in the request but as parameters of the model, which `engine.args` take over: " + pairs(e.sampling, "`%s: %v`", ", ")}
	case len(e.body) > 0:
		return []string{pairs(e.body, "`%s: %v`", ", ")}
	}
	return []string{"nothing: no cut and no penalty unless a request asks for it"}
}

func uncachedCells(e *Engine) []string {
	if len(e.uncached) > 0 {
		return []string{pairs(e.uncached, "`engine.args: {%s: %v}`", " or ")}
	}
	return []string{e.docs.cacheOff}
}

func keptCells(e *Engine) []string {
	switch {
	case !e.CanReset():
		return nil
	case e.reset == KeepsNone:
		return []string{"nothing: " + e.docs.emptied, e.docs.proven, e.docs.tried}
	case e.docs.emptied != "":
		return []string{"`POST " + e.reset + "`: " + e.docs.emptied, e.docs.proven, e.docs.tried}
	}
	return []string{"`POST " + e.reset + "`", e.docs.proven, e.docs.tried}
}

// folderCells are the folders that are kept of a model which is not mounted.
func folderCells(e *Engine) []string {
	var s launch.Spec
	for _, model := range []string{"org/m", "reference/tiny"} { // one of them is each engine's
		var err error
		if s, err = e.Spec(study.Experiment{Model: model, Revision: "main", DType: "auto"}, Host{}); err == nil {
			break
		}
	}
	var folders []string
	for _, c := range s.Caches {
		folders = append(folders, "`"+c.Target+"`")
	}
	if len(folders) > 0 && e.traits.OwnNames {
		folders = append(folders, "only for names of its library")
	}
	return []string{strings.Join(folders, ", ")}
}

// pairs writes a mapping, sorted by name.
func pairs(of map[string]any, format, between string) string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		out = append(out, fmt.Sprintf(format, name, of[name]))
	}
	return strings.Join(out, between)
}
