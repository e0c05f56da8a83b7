package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// repeats are runs of full with these energies per output token, each in a folder of
// its own.
func repeats(name string, change func(*result.Record), energies ...float64) (out []Entry) {
	for i, e := range energies {
		r := full()
		r.Name, r.ConfigHash, r.ExperimentID = name, "sha256:"+name, fmt.Sprint(name, i)
		r.Config = map[string]any{"name": name, "model": r.Model.ID, "workload": map[string]any{"load": map[string]any{"concurrency": 8.0}}}
		r.Requests.PromptChecksum = "sha256:prompts"
		total := e * float64(*r.Tokens.Output)
		r.EnergyPerOutputToken, r.EnergyTotalJ = p(e), p(total)
		r.Energy.URepeatabilityJ, r.Energy.UAbsoluteJ = p(0.001*total), p(0.029*total)
		r.TokensPerSecond, r.Energy.MeanPowerW = p(700/e), p(700+3*e+float64(i))
		delete(r.WarningSeverities, "thermal_drift_detected")
		for j := range r.Environment.GPUs {
			r.Environment.GPUs[j].PowerLimitW = p(700.0)
		}
		if change != nil {
			change(r)
		}
		out = append(out, Entry{Record: r, Dir: fmt.Sprintf("results/%s_%d", name, i+1)})
	}
	return out
}

func sglang(r *result.Record) {
	r.Engine.Name, r.Engine.Version, r.Engine.ImageDigest = "sglang", p("0.5.16"), p("lmsysorg/sglang@sha256:fedcba9876543210fedcba9876543210")
	r.Config.(map[string]any)["engine"] = map[string]any{"image": "lmsysorg/sglang:v0.5.16"}
}

// compared compares runs that were made in turns, one of each list.
func compared(t *testing.T, versus string, lists ...[]Entry) *Comparison {
	t.Helper()
	for i, list := range lists {
		for j, e := range list {
			at(e.Record, j*len(lists)+i)
		}
	}
	return inOrder(t, versus, lists...)
}

// at makes a record that of run n of runs that are made one after another.
func at(r *result.Record, n int) {
	r.StartedAt = time.Unix(0, 0).Add(time.Duration(n) * time.Minute)
	r.EndedAt = r.StartedAt.Add(50 * time.Second)
}

// inOrder compares runs that have their times.
func inOrder(t *testing.T, versus string, lists ...[]Entry) *Comparison {
	t.Helper()
	c, err := Compare(slices.Concat(lists...), versus)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// text is what is printed, within 80 columns.
func text(t *testing.T, c *Comparison, opt Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := c.Document().Write(&b, opt); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := columns(strings.TrimSuffix(line, "\n")); n > max(opt.Width, 60) && opt.Width > 0 || n > widest {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	return b.String()
}

func apartFor(change func(*result.Record)) []Entry {
	return repeats("other", change, 0.5, 0.51, 0.49)
}

func TestComparisons(t *testing.T) {
	base := func() []Entry { return repeats("llama31-8b-vllm", nil, 1.000, 1.004, 0.997) }
	other := repeats("llama31-8b-sglang", sglang, 0.931, 0.927, 0.925)
	other[1].Record.WarningSeverities["thermal_drift_detected"] = "doubt"
	none := repeats("llama31-8b-vllm-eager", nil, 0.995, 1.006, 0.99)
	failed := repeats("llama31-8b-vllm", func(r *result.Record) { r.Status, r.Error = result.Failed, "container died: exit code 137" }, 1)
	dummies := apartFor(func(r *result.Record) { r.WarningSeverities["dummy_weights"] = "note" })
	for name, c := range map[string]*Comparison{
		"compare":        compared(t, "", base(), other, none, failed, dummies),
		"compare_single": compared(t, "", base()[:1], other[:1]),
		"compare_one":    compared(t, "", base()),
		"compare_none":   compared(t, "", failed),
	} {
		golden(t, name, text(t, c, Options{Grouped: true}))
	}
	text(t, compared(t, "", base(), other, none, failed, dummies), Options{Width: 60, Grouped: true})
}

func TestOtherGPUsOfAModelWidenTheInterval(t *testing.T) {
	elsewhere := repeats("b", func(r *result.Record) { r.Environment.GPUs[0].UUID = "GPU-6f1e3c11-0c35-4b7e-b1b5-000000000001" }, 0.97, 0.971, 0.969)
	elsewhere[2].Record.Environment.GPUs[0].UUID = "GPU-11111111-0c35-4b7e-b1b5-000000000001"
	c := compared(t, "", repeats("a", nil, 1, 1.001, 0.999), elsewhere)
	d := c.Differences[0]
	if !d.OtherGPUs || d.Verdict != nil || *d.NoVerdict != "other_gpus" || *d.High-*d.Low < 10 || d.Repeats != nil {
		t.Errorf("%+v", d)
	}
	golden(t, "compare_gpus", text(t, c, Options{Grouped: true}))
}

// What cannot be compared is not ranked, whatever its figure.
func TestWhatStandsApart(t *testing.T) {
	set := func(r *result.Record, limit float64) {
		for i := range r.Environment.GPUs {
			r.Environment.GPUs[i].PowerLimitW = p(limit)
		}
	}
	for want, change := range map[string]func(*result.Record){
		"random weights (dummy_weights), not a trained model's": func(r *result.Record) { r.WarningSeverities["dummy_weights"] = "note" },
		"another GPU: NVIDIA A100-SXM4-80GB": func(r *result.Record) {
			r.Environment.GPUs = []result.GPU{{Name: "NVIDIA A100-SXM4-80GB", PowerLimitW: p(700.0)}}
		},
		"another power limit: 300 W, not 700 W":       func(r *result.Record) { set(r, 300) },
		"other requests":                              func(r *result.Record) { r.Requests.PromptChecksum = "sha256:else" },
		"other output token counts: 25000, not 25600": func(r *result.Record) { r.Tokens.Output = p(int64(25000)) },
		"other input token counts: 0, not 25600":      func(r *result.Record) { r.Tokens.Input = p(int64(0)) },
		"energy of other scope: host, not gpu":        func(r *result.Record) { r.Energy.Scope = "host" },
		"energy of other scope: module, not gpu":      func(r *result.Record) { r.Energy.Scope = "module" },
		"client_bound":                                func(r *result.Record) { r.WarningSeverities["client_bound"] = "doubt" },
		"energy is not valid: throttled":              func(r *result.Record) { r.Energy.Valid, r.Energy.Reasons = false, []string{"throttled"} },
		"no energy figure: no driver":                 func(r *result.Record) { withoutEnergy(r, "no driver") },
		"failed: died":                                func(r *result.Record) { r.Status, r.Error = result.Failed, "died\nand more" },
		"interrupted":                                 func(r *result.Record) { r.Status = result.Interrupted },
	} {
		c := compared(t, "", repeats("a", nil, 1, 1.01, 0.99), apartFor(change))
		b := c.Points[1]
		if len(b.Apart) != 1 || !strings.HasPrefix(b.Apart[0], want) || b.Pareto || len(c.Differences) != 0 || !c.Points[0].Pareto {
			t.Errorf("apart %q, Pareto %v, differences %v; want %q", b.Apart, b.Pareto, c.Differences, want)
		}
		if out := text(t, c, Options{Grouped: true}); !strings.Contains(out, "Apart, not ranked") {
			t.Errorf("%s is not said:\n%s", want, out)
		}
	}
}

// A power limit that the configuration sets is what is compared.
func TestPowerLimitsThatWereSetAreCompared(t *testing.T) {
	capped := repeats("b", func(r *result.Record) {
		for i := range r.Environment.GPUs {
			r.Environment.GPUs[i].PowerLimitW = p(300.0)
		}
		r.Environment.GPUSettings = []result.GPUSetting{{PowerLimitW: p(300.0)}}
	}, 0.8, 0.81, 0.79)
	c := compared(t, "", repeats("a", nil, 1, 1.01, 0.99), capped)
	if len(c.Differences) != 1 || *c.Differences[0].Verdict != stats.Less {
		t.Errorf("%+v", c.Differences)
	}
	if !slices.ContainsFunc(c.Differs, func(d Differs) bool { return d.Key == "power limit" && d.Values["B"] == "300 W" }) {
		t.Errorf("the limit is not among %v", c.Differs)
	}
}

// Runs of equal configuration by other software are no repeats of one another.
func TestAnotherDigestIsAnotherPoint(t *testing.T) {
	list := repeats("a", nil, 1, 1, 1, 1, 1, 1, 1)
	list[1].Record.Engine.ImageDigest = p("vllm/vllm-openai@sha256:aaaaaaaaaaaaaaaaaaaaaaaa")
	list[2].Record.Environment.GPUs[0].Driver = "560"
	list[3].Record.Name = "renamed"
	list[4].Record.Environment.GPUs[0].Name = "NVIDIA H200"
	list[5].Record.Environment.GPUs[0].PowerLimitW = p(500.0)
	c := compared(t, "", list)
	if len(c.Points) != 5 || len(c.Points[0].Results) != 3 {
		t.Errorf("%d points, %v", len(c.Points), c.Points[0].Results)
	}
}

func TestRunsOfOneCycleArePaired(t *testing.T) {
	a, b := repeats("a", nil, 1.00, 1.20, 0.90, 1.10, 1.15), repeats("b", nil, 0.981, 1.174, 0.882, 1.079, 1.128)
	for i := range a { // A B B A A B B A A B
		at(a[i].Record, 2*i+i%2)
		at(b[i].Record, 2*i+1-i%2)
	}
	unpaired := inOrder(t, "", a, b).Differences[0]
	for i := range a {
		a[i].Cycle, b[i].Cycle = fmt.Sprint(i), fmt.Sprint(i)
	}
	d := inOrder(t, "", a, b).Differences[0]
	if d.Method != "paired" || *d.Verdict != stats.Less || unpaired.Method != "trend" || *unpaired.Verdict != stats.NoneShown {
		t.Errorf("paired %+v\nunpaired %+v", d, unpaired)
	}
	b[0].Cycle = "9"
	if d := inOrder(t, "", a, b).Differences[0]; d.Method != "trend" {
		t.Errorf("other cycles are compared by %s", d.Method)
	}
}

func TestOneRunHasNoVerdict(t *testing.T) {
	c := compared(t, "", repeats("a", nil, 1, 1.01, 0.99), repeats("b", nil, 0.5))
	d := c.Differences[0]
	if d.Verdict != nil || d.P != nil || d.Method != "meter" || c.Comparisons != 0 || !strings.HasSuffix(d.Sentence, "no verdict, since one run has no spread") {
		t.Errorf("%+v", d)
	}
	// 0.1 % of the one and of the mean of three.
	if half, want := math.Log1p(*d.High/100)-math.Log1p(d.Percent/100), 2*0.001*math.Sqrt(1+1.0/3); math.Abs(half-want) > 1e-6 {
		t.Errorf("± %g, want %g", half, want)
	}
}

// The same spread and difference that shows alone does not among many.
func TestHolmMakesAFamilyStricter(t *testing.T) {
	a, b := repeats("a", nil, 1, 1.01, 0.99), repeats("b", nil, 0.97, 0.98, 0.962)
	alone := compared(t, "", a, b).Differences[0]
	lists := [][]Entry{a, b}
	for i := range 6 {
		lists = append(lists, repeats(fmt.Sprint("c", i), nil, 1, 1.011, 0.991))
	}
	family := compared(t, "", lists...)
	if d := family.Differences[0]; *alone.Verdict != stats.Less || *d.Verdict != stats.NoneShown || family.Comparisons != 7 || d.Confidence <= alone.Confidence || alone.Repeats != nil || d.Repeats == nil {
		t.Errorf("alone %+v\nof seven %+v", alone, d)
	}
}

func TestVersusNamesAPoint(t *testing.T) {
	lists := [][]Entry{repeats("a", nil, 1, 1.1), repeats("b", nil, 2, 2.1), repeats("b", sglang, 3, 3.1), repeats("bad", func(r *result.Record) { r.Energy.Valid = false }, 1)}
	for versus, want := range map[string]string{"": "A", "a": "A", "C": "C", "A": "A"} {
		if c := compared(t, versus, lists...); c.Versus != want || c.Differences[0].Label == want || len(c.Differences) != 2 {
			t.Errorf("--versus %q took %s", versus, c.Versus)
		}
	}
	for versus, want := range map[string]string{
		"x":   "--versus x: there is no such point; there are A a, B b, C b, D bad",
		"b":   "--versus b: 2 points have this name; name one by its letter: A a, B b, C b, D bad",
		"bad": "--versus bad: it has no figure to compare with (energy is not valid); choose another",
	} {
		if _, err := Compare(slices.Concat(lists...), versus); err == nil || err.Error() != want {
			t.Errorf("--versus %s: %v, want %s", versus, err, want)
		}
	}
}

// A point is none the worse for more joules where it is faster.
func TestTheParetoSetHasTheFastAndTheFrugal(t *testing.T) {
	fast := repeats("fast", func(r *result.Record) { r.TokensPerSecond = p(2000.0) }, 1.2)
	slow := repeats("slow", func(r *result.Record) { r.TokensPerSecond = p(10.0) }, 1.1)
	for i, point := range compared(t, "", repeats("a", nil, 1), fast, slow).Points {
		if want := i < 2; point.Pareto != want {
			t.Errorf("%s: %v", point.Name, point.Pareto)
		}
	}
}

// The JSON holds no number that JSON cannot, also of records that are hardly there.
func TestComparisonsOfDamagedRecords(t *testing.T) {
	hardly := []Entry{
		{Record: &result.Record{}, Dir: "a"},
		{Record: &result.Record{Status: result.Completed, EnergyTotalJ: p(0.0), EnergyPerOutputToken: p(0.0), Energy: result.Energy{Valid: true}}, Dir: "b"},
		{Record: &result.Record{Status: result.Completed, ConfigHash: "x", EnergyTotalJ: p(1.0), EnergyPerOutputToken: p(1.0), Energy: result.Energy{Valid: true}}, Dir: "c"},
		{Record: &result.Record{Status: result.Completed, ConfigHash: "y", EnergyTotalJ: p(2.0), EnergyPerOutputToken: p(2.0), Energy: result.Energy{Valid: true}}, Dir: "d"},
		{Record: &result.Record{Status: result.Completed, ConfigHash: "y", EnergyTotalJ: p(2.0), EnergyPerOutputToken: p(2.0), Energy: result.Energy{Valid: true}}, Dir: "e"},
	}
	c := compared(t, "", hardly)
	if _, err := json.Marshal(c); err != nil {
		t.Error(err)
	}
	text(t, c, Options{Grouped: true})
	if len(c.Differences) != 1 || c.Differences[0].Verdict != nil || c.Differences[0].Low != nil {
		t.Errorf("%+v", c.Differences)
	}
}

// Runs of different prompts are never one point, with or without an energy figure.
func TestOtherPromptsAreAnotherPoint(t *testing.T) {
	for name, none := range map[string]bool{"with energy": false, "without": true} {
		list := repeats("a", func(r *result.Record) {
			if none {
				r.EnergyTotalJ, r.EnergyPerOutputToken = nil, nil
			}
		}, 1, 1.001, 0.999)
		list[2].Record.Requests.PromptChecksum = "sha256:other"
		c := compared(t, "", list)
		if len(c.Points) != 2 || c.Points[0].Completed != 2 || c.Points[1].Completed != 1 {
			t.Errorf("%s: %d points, the first of %d", name, len(c.Points), c.Points[0].Completed)
		}
	}
}

// A closed loop by seconds sends a faster server more of the same requests.
func TestLoadsBySecondsAreTheSameWork(t *testing.T) {
	seconds := func(n int64, concurrency int, output any) func(*result.Record) {
		return func(r *result.Record) {
			r.Config = map[string]any{"model": "m", "workload": map[string]any{"min_seconds": 60.0, "prompts": 1, "max_output_tokens": output, "load": map[string]any{"pattern": "closed", "concurrency": concurrency}}}
			r.Requests.PromptChecksum = fmt.Sprint("sha256:", n)
			r.WorkloadHash = fmt.Sprint("sha256:", concurrency)
			r.ConfigHash = fmt.Sprint("sha256:", concurrency, output)
			r.Requests.Completed, r.Tokens.Input, r.Tokens.Output = int(n), p(100*n), p(50*n)
		}
	}
	slow := repeats("slow", seconds(10, 1, 50), 1, 1.001, 0.999)
	slow[1].Record.Requests.PromptChecksum = "sha256:eleven"
	quick := repeats("quick", seconds(30, 4, 50), 0.5, 0.501, 0.499)
	c := compared(t, "", slow, quick, repeats("other", seconds(30, 4, 51), 0.5, 0.501, 0.499))
	if len(c.Points) != 3 || c.Points[0].Completed != 3 || len(c.Points[1].Apart) > 0 || len(c.Points[2].Apart) == 0 || len(c.Differences) != 1 {
		t.Errorf("%d points, the first of %d; apart: %q and %q", len(c.Points), c.Points[0].Completed, c.Points[1].Apart, c.Points[2].Apart)
	}
}
