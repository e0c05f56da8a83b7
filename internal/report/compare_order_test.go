package report

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

// placed are runs of two points that were made in an order such as "AABB", the
// second of them with half the energy.
func placed(order string) (a, b []Entry) {
	spread := []float64{1, 1.004, 0.997, 1.002, 0.999, 1.001, 0.998, 1.003, 1.0005, 0.9965}
	for i, label := range order {
		if label == 'A' {
			a = append(a, repeats("a", nil, spread[len(a)])...)
			at(a[len(a)-1].Record, i)
			continue
		}
		b = append(b, repeats("b", nil, 0.5*spread[9-len(b)])...)
		at(b[len(b)-1].Record, i)
	}
	return a, b
}

// However large the difference, there is a verdict only where the order of the runs
// can distinguish it from drift.
func TestNoVerdictWhereDriftMayBeTheDifference(t *testing.T) {
	for name, c := range map[string]struct {
		order  string
		change func(a, b []Entry)
		why    string // empty: a verdict
		says   string
	}{
		"in turns":                  {order: "ABABAB"},
		"turned in each pair":       {order: "ABBAAB"},
		"at random":                 {order: "BABBABAAAB"},
		"one point, then the other": {order: "AAABBB", why: blockedOrder, says: "the runs came in blocks (3 A, 3 B): drift cannot be distinguished from a difference"},
		"the other point first":     {order: "BBBBBAAAAA", why: blockedOrder, says: "(5 B, 5 A)"},
		"around the other":          {order: "AABBBBAA", why: blockedOrder, says: "(2 A, 4 B, 2 A)"},
		"in large blocks":           {order: "AAAAABBBBBAAAAABBBBB", why: blockedOrder, says: "(5 A, 5 B, 5 A, 5 B)"},
		"two of each":               {order: "ABAB", why: tooFewRuns, says: "so few runs (1 A, 1 B, 1 A, 1 B) cannot distinguish a difference from drift"},
		"two of each, turned":       {order: "ABBA", why: tooFewRuns},
		"one of each":               {order: "AB", why: singleRun, says: "one run has no spread"},
		"without the moment of one": {"ABABAB", func(a, b []Entry) { b[1].Record.StartedAt = time.Time{} }, orderUnknown, "does not say when its run began"},
		"without any moment":        {"ABABAB", func(a, b []Entry) { each(a, b, func(r *result.Record) { r.StartedAt = time.Time{} }) }, orderUnknown, ""},
		"all at one moment":         {"ABABAB", func(a, b []Entry) { each(a, b, func(r *result.Record) { at(r, 0) }) }, runsOverlap, "runs overlapped in time"},
		"one within another":        {"ABABAB", func(a, b []Entry) { a[0].Record.EndedAt = b[2].Record.EndedAt }, runsOverlap, ""},
		"on two hosts":              {"ABABAB", func(a, b []Entry) { each(nil, b, func(r *result.Record) { r.Environment.Host.Hostname = "other" }) }, otherHosts, "on different hosts"},
		"of one point on two hosts": {"ABABAB", func(a, b []Entry) { a[1].Record.Environment.Host.Hostname = "other" }, otherHosts, ""},
		"on two GPUs":               {"ABABAB", func(a, b []Entry) { each(nil, b, func(r *result.Record) { r.Environment.GPUs[0].UUID = "GPU-x" }) }, otherGPUs, "on different GPUs"},
		"of both points on two GPUs": {"ABABAB", func(a, b []Entry) {
			a[2].Record.Environment.GPUs[0].UUID, b[0].Record.Environment.GPUs[0].UUID = "GPU-x", "GPU-x"
		}, otherGPUs, ""},
		"of windows, not of starts":    {"AAABBB", func(a, b []Entry) { inTurns(a, b) }, "", ""},
		"with a night in between":      {"ABABAB", func(a, b []Entry) { each(a[2:], b[2:], func(r *result.Record) { later(r, 12*time.Hour) }) }, "", ""},
		"blocks, a night between them": {"AAABBB", func(a, b []Entry) { each(nil, b, func(r *result.Record) { later(r, 12*time.Hour) }) }, blockedOrder, ""},
	} {
		a, b := placed(c.order)
		if c.change != nil {
			c.change(a, b)
		}
		got := inOrder(t, "a", a, b)
		d := got.Differences[0]
		why := ""
		if d.NoVerdict != nil {
			why = *d.NoVerdict
		}
		if why != c.why || (d.Verdict == nil) != (c.why != "") || got.Comparisons != toInt(c.why == "") || (d.P == nil) != (c.why != "") {
			t.Errorf("%s: %+v, want %q", name, d, c.why)
		}
		if sentence := strings.ReplaceAll(d.Sentence, hard, " "); !strings.Contains(sentence, c.says) || c.why != "" && !strings.Contains(sentence, "no verdict, since ") {
			t.Errorf("%s: %s", name, sentence)
		}
		if said := strings.Contains(text(t, got, Options{}), "5 %, under the assumptions"); said != (c.why == "") {
			t.Errorf("%s: that 5 %% of verdicts are false is said: %v", name, said)
		}
	}
}

func toInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

func each(a, b []Entry, change func(*result.Record)) {
	for _, e := range slices.Concat(a, b) {
		change(e.Record)
	}
}

func later(r *result.Record, by time.Duration) {
	r.StartedAt, r.EndedAt = r.StartedAt.Add(by), r.EndedAt.Add(by)
}

// inTurns gives runs windows that take turns.
func inTurns(a, b []Entry) {
	for i := range a {
		at(a[i].Record, 2*i)
		at(b[i].Record, 2*i+1)
		for _, r := range []*result.Record{a[i].Record, b[i].Record} {
			r.WindowStart = p(r.StartedAt.Add(20 * time.Second))
		}
	}
}

// Two studies on the same GPUs are one order of runs.
func TestTwoStudiesAreOneOrder(t *testing.T) {
	for name, c := range map[string]struct {
		order   string
		cycles  [2][]string // of the runs of each point
		verdict bool
		method  string
	}{
		"both of both points": {"ABBAABBAABBA", [2][]string{{"s/1", "s/2", "s/3", "t/1", "t/2", "t/3"}, {"s/1", "s/2", "s/3", "t/1", "t/2", "t/3"}}, true, "paired"},
		"of a point each":     {"AAABBB", [2][]string{{"s/1", "s/2", "s/3"}, {"t/1", "t/2", "t/3"}}, false, "welch"},
		"in turns":            {"ABABAB", [2][]string{{"s/1", "s/2", "s/3"}, {"t/1", "t/2", "t/3"}}, true, "trend"},
	} {
		a, b := placed(c.order)
		for i := range a {
			a[i].Cycle, b[i].Cycle = c.cycles[0][i], c.cycles[1][i]
		}
		if d := inOrder(t, "", a, b).Differences[0]; (d.Verdict != nil) != c.verdict || d.Method != c.method {
			t.Errorf("%s: %+v", name, d)
		}
	}
}

// What the order and the runs say of drift is in the JSON, and is printed where the
// runs show it.
func TestDriftIsReported(t *testing.T) {
	a := repeats("a", nil, 1.000, 1.021, 1.039, 1.061, 1.080)
	b := repeats("b", nil, 0.911, 0.929, 0.951, 0.970, 0.989)
	c := compared(t, "", a, b)
	d := c.Differences[0]
	if d.Order == nil || *d.Order != "A B A B A B A B A B" || *d.Widening != 1 || d.NoVerdict != nil || *d.Verdict != "less" {
		t.Errorf("%+v", d)
	}
	if *d.TrendPct < 8 || *d.TrendPct > 10 || *d.TrendP > 1e-4 || *d.DependenceP < 0.05 {
		t.Errorf("trend %g (p %g), dependence p %g", *d.TrendPct, *d.TrendP, *d.DependenceP)
	}
	if got := strings.ReplaceAll(text(t, c, Options{}), hard, " "); !strings.Contains(got, "Drift\n  A, B                 +9") {
		t.Errorf("\n%s", got)
	}
	if steady := compared(t, "", repeats("a", nil, 1, 1.01, 0.99), repeats("b", nil, 0.9, 0.91, 0.88)); strings.Contains(text(t, steady, Options{}), "\nDrift") {
		t.Error("a drift of steady runs is printed")
	}
	if few := compared(t, "", a[:2], b[:2]).Differences[0]; few.TrendPct != nil || few.Dependence != nil {
		t.Errorf("four runs show a drift: %+v", few)
	}
}

// Neighbours that are opposites break what is assumed of drift, and take the verdict
// away.
func TestAlternatingRunsHaveNoVerdict(t *testing.T) {
	a, b := placed("ABBAABBAABBAABBAABBA")
	each(a, b, func(r *result.Record) {
		if r.StartedAt.Unix()/60%2 == 1 {
			*r.EnergyPerOutputToken *= 1.05
		}
	})
	d := inOrder(t, "", a, b).Differences[0]
	if d.Verdict != nil || *d.NoVerdict != alternating || *d.Dependence > -0.5 || !strings.Contains(d.Sentence, "something alternates") {
		t.Errorf("%+v", d)
	}
}

// A study that runs one point after the other has no verdict; one that takes turns has.
func TestASequentialStudyHasNoVerdict(t *testing.T) {
	plan, runs := studied(nil)
	sequential := slices.Clone(runs)
	slices.SortStableFunc(sequential, func(a, b Entry) int { return strings.Compare(a.Record.Name, b.Record.Name) })
	for i, e := range sequential {
		at(e.Record, i)
	}
	s, err := Study(plan, sequential, "")
	if err != nil {
		t.Fatal(err)
	}
	if d := s.Comparison.Differences[0]; d.Verdict != nil || *d.NoVerdict != blockedOrder || d.Method != "welch" || *d.Order != "A A A B B B" {
		t.Errorf("%+v", d)
	}
	if got := strings.Join(strings.Fields(studyText(t, s)), " "); !strings.Contains(got, "drift cannot be distinguished from a difference") || strings.Contains(got, "at most 5 %") {
		t.Errorf("\n%s", got)
	}
}

func TestAComparisonOfBlocks(t *testing.T) {
	a, b := placed("AAABBB")
	golden(t, "compare_blocks", text(t, inOrder(t, "", a, b), Options{Grouped: true}))
}
