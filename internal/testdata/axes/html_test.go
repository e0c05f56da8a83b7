package report

import (
	"html"
	"regexp"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/peer"
	"github.com/llenergymeasure/llem/internal/result"
)

var tag = regexp.MustCompile(`<[^>]*>`)

// counted are the words of a text, and how often it has each.
func counted(text string) map[string]int {
	n := map[string]int{}
	for word := range strings.FieldsSeq(text) {
		n[strings.TrimRight(word, ":;,")]++
	}
	return n
}

// A page has every word and every number of the text: what is cut there has its
// beginning and its end here.
func TestNewVariant(t *testing.T) {
	documents := map[string]*Document{}
	for name, change := range map[string]func(*result.Record){
		"good": func(*result.Record) {},
		"invalid": func(r *result.Record) {
			r.Energy.Valid, r.Energy.Reasons = false, []string{"gpu_not_exclusive"}
			r.Energy.URepeatabilityJ, r.Energy.UAbsoluteJ, r.Energy.Baseline.UW = p(64.0), p(737.0), p(0.31)
		},
		"no tokens": func(r *result.Record) {
			r.Unknown = map[string]string{"tokens_per_second": "nothing was counted", "latency.ttft_ms": "nothing was stamped"}
			r.Latency.TTFT, r.TokensPerSecond = nil, nil
		},
		"failed": func(r *result.Record) { r.Status, r.Error = result.Failed, "a < b && c"; withoutEnergy(r, "no GPU") },
	} {
		r := full()
		change(r)
		documents[name] = Record(r, "results/a b")
	}
	for _, name := range peer.Names() {
		of, _ := peer.Lookup(name)
		list, remarks := of.Figures(answers())
		documents["as "+name] = Peer(of, Entry{Record: full(), Dir: "d"}, list, remarks)
	}
	apart := repeats("dummies", func(r *result.Record) { r.WarningSeverities["dummy_weights"] = "note" }, 0.5)
	failed := repeats("eager", func(r *result.Record) { r.Status = result.Failed }, 1)
	documents["comparison"] = compared(t, "", repeats("eager", nil, 1, 1.02, 1.01), repeats("graphs", sglang, 0.93, 0.92, 0.95), apart, failed).Document()
	plan, runs := studied(func(r *result.Record) { r.Status = result.Failed })
	s, err := Study(plan, runs[:5], "")
	if err != nil {
		t.Fatal(err)
	}
	documents["study"] = s.Document()
	documents["results"] = Side([]Entry{{Record: full(), Dir: "a"}, {Record: other(), Dir: "b"}})
	run := result.CommandRun{Seconds: 3, EnergyTotalJ: p(34.5), MeasurementWarnings: []string{"short: 3 s"}, WarningSeverities: map[string]string{"short": "doubt"}}
	documents["command"] = Command(&result.Command{Command: []string{"make", "-j8"}, Runs: []result.CommandRun{run}})

	for name, d := range documents {
		var text, page strings.Builder
		for b, format := range map[*strings.Builder]string{&text: "text", &page: "html"} {
			if err := d.Write(b, Options{Format: format}); err != nil {
				t.Fatal(err)
			}
		}
		shown := html.UnescapeString(tag.ReplaceAllString(page.String(), " "))
		has := counted(shown)
		for word, n := range counted(text.String()) {
			head, tail, cut := strings.Cut(word, "…")
			if strings.HasPrefix(name, "as ") { // the text may name the rows of a wide table twice
				n = 1
			}
			if !cut && has[word] < n || !strings.Contains(shown, head) || !strings.Contains(shown, tail) {
				t.Errorf("%s: the page has %q %d times, the text %d times", name, word, has[word], n)
			}
		}
		if len(has) < 15 {
			t.Errorf("%s: only %d words", name, len(has))
		}
	}
	if err := documents["good"].Write(&strings.Builder{}, Options{Format: "pdf"}); err == nil {
		t.Error("a format without a renderer is written")
	}
}
