package main

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// TestMain is also the command under measurement, as the program itself is.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && slices.Equal(os.Args[1:4], []string{"-role", "load", "-spec"}) {
		if err := load(os.Args[4]); err != nil {
			panic(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestThePlanIsAsLargeAsItsPageSays(t *testing.T) {
	all, err := conditions(regexp.MustCompile(""))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 80 {
		t.Errorf("%d conditions, want at least 80", len(all))
	}
	r, used := rand.New(rand.NewPCG(1, 1)), map[string]bool{}
	gpus := map[int]bool{}
	for _, c := range all {
		used[c.instrument.family+c.instrument.name], gpus[c.gpus] = true, true
	}
	for _, in := range instruments {
		if _, err := in.draw(r); err != nil || !used[in.family+in.name] {
			t.Errorf("%s: %s: %v, used: %v", in.family, in.name, err, used[in.family+in.name])
		}
	}
	if len(gpus) != 4 {
		t.Errorf("numbers of GPUs: %v, want 1, 2, 4 and 8", gpus)
	}
}

func TestShapesAreInTheOrderOfTime(t *testing.T) {
	for _, s := range shapes {
		for k := range uint64(50) {
			if s.run {
				continue
			}
			r := rand.New(rand.NewPCG(k, 0))
			length := between(r, 500*ms, 10*time.Second)
			steps := s.steps(r, length, 60, 300)
			if !slices.IsSortedFunc(steps, func(a, b standin.Step) int { return int(a.After - b.After) }) || len(steps) > 4000 {
				t.Fatalf("%s: %d steps, or they go back", s.name, len(steps))
			}
			for _, p := range steps {
				if p.Watts < 59 || p.Watts > 330 {
					t.Errorf("%s: %.0f W after %v", s.name, p.Watts, p.After)
				}
			}
			if last := steps[len(steps)-1]; !s.flat && (last.Watts != 60 || last.After < length) {
				t.Errorf("%s ends with %.0f W after %v of %v", s.name, last.Watts, last.After, length)
			}
		}
	}
}

func TestVerdicts(t *testing.T) {
	say := func(said, u float64) outcome { return outcome{Truth: 1000, Said: &said, U: &u, Valid: true} }
	bare := 1100.0
	for name, c := range map[string]struct {
		windows []outcome
		want    string
	}{
		"all hold":               {slices.Repeat([]outcome{say(1010, 6)}, 60), "holds"},
		"56 of 60 hold":          {append(slices.Repeat([]outcome{say(990, 5)}, 56), slices.Repeat([]outcome{say(989, 5)}, 4)...), "holds"},
		"55 of 60 hold":          {append(slices.Repeat([]outcome{say(990, 5)}, 55), slices.Repeat([]outcome{say(989, 5)}, 5)...), "**fails**"},
		"all refused":            {slices.Repeat([]outcome{{Truth: 1000, Reasons: []string{"power_stuck"}}}, 60), "refused"},
		"some refused":           {slices.Repeat([]outcome{say(1000, 1), {Truth: 1000, Reasons: []string{"power_stuck"}}}, 10), "holds, or refused"},
		"invalid without reason": {[]outcome{say(1000, 1), {Truth: 1000}}, "**fails**"},
		"valid and no u":         {[]outcome{say(1000, 1), {Truth: 1000, Said: &bare, Valid: true}}, "**fails**"},
		"as wide as the world":   {slices.Repeat([]outcome{say(1400, 300)}, 20), "holds, uselessly wide"},
		"5 of 6 hold":            {append(slices.Repeat([]outcome{say(990, 5)}, 5), say(989, 5)), "too few"},
	} {
		got := rows(c.windows)
		if len(got) != 1 || got[0].verdict() != c.want {
			t.Errorf("%s: %+v, want %q", name, got[0], c.want)
		}
	}
	r := rows([]outcome{say(1010, 6), say(970, 10)})[0]
	if r.covered != 1 || r.stated != 2 || math.Abs(r.bias+0.01) > 1e-9 || math.Abs(r.median-0.02) > 1e-9 || math.Abs(r.half-0.016) > 1e-9 {
		t.Errorf("got %+v", r)
	}
}

// Whole experiments are few of each condition: each quantity is summed up over them.
func TestExperimentsAreSummedUp(t *testing.T) {
	u, off, right := 1.0, 1003.0, 1001.0
	of := func(condition string, said *float64) outcome {
		return outcome{Condition: condition, Quantity: "baseline_power_w", Host: "quiet", Truth: 1000, Said: said, U: &u, Valid: true}
	}
	got := experiments(rows([]outcome{of("a: b / run / 1", &right), of("a: b / run --quick / 1", &off), of("a: c / run / 4", &right), of("a: c / constant / 1", &off)}))
	if want := "| `baseline_power_w` | quiet | 3 | 66.67 % of 3 | 0 | 0 |\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got\n%s\nwant its end to be\n%s", got, want)
	}
	if got := experiments(rows([]outcome{of("a: c / constant / 1", &off)})); got != "" {
		t.Errorf("without an experiment:\n%s", got)
	}
}

// families are one condition of each, which the real binary must measure within
// 4 u or refuse.
var families = []string{
	"looks all the time, shows at once: Ampere GA10x / constant / 2",
	"looks in part, counter adds up the looks: H100, first quarter / llm / 1",
	"powers look in part, counter misses nothing: H100 / llm / 1",
	"shows late: powers alone, by 50 ms / llm / 1",
	"slow calls: of 5 to 30 ms / constant / 1",
	"steps and ticks: jitter of 30 ms / llm / 1",
	"powers and counter apart: powers at 500 ms, counter at 100 ms / constant / 1",
	"no counter: powers at 100 ms / constant / 1",
	"counter at fault: jumps / constant / 1",
}

func TestTheBinaryMeasuresEachFamilyOrRefuses(t *testing.T) {
	dir := t.TempDir()
	b := bench{llem: filepath.Join(dir, "llem"), self: os.Args[0], seed: 1, short: 3 * time.Second, long: 4 * time.Second, keep: dir}
	if out, err := exec.Command("go", "build", "-o", b.llem, "../../cmd/llem").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var err error
	if b.self, err = filepath.Abs(b.self); err != nil {
		t.Fatal(err)
	}
	if b.library, err = standin.Build(); err != nil {
		t.Fatal(err)
	}
	for _, name := range families {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			all, err := conditions(regexp.MustCompile("^" + regexp.QuoteMeta(name) + "$"))
			if err != nil || len(all) != 1 {
				t.Fatalf("%d conditions of that name, %v", len(all), err)
			}
			b.within(t, all[0])
		})
	}
}

// within fails where three windows in a row miss the truth by more than 4 u: one
// may, on a host that keeps llem waiting.
func (b bench) within(t *testing.T, c condition) {
	t.Helper()
	var missed []string
	for k := range 3 {
		o := b.window(context.WithoutCancel(t.Context()), c, k)[0]
		switch {
		case o.Error != "":
			t.Fatal(o.Error)
		case !o.Valid && len(o.Reasons) > 0:
			return
		case o.Said == nil || o.U == nil:
			t.Fatalf("valid and without a figure or its u: %+v", o)
		case math.Abs(*o.Said-o.Truth) <= 4**o.U:
			return
		}
		missed = append(missed, strings.TrimSpace(percent((*o.Said-o.Truth)/o.Truth, "+")+" ± "+percent(2**o.U/o.Truth, "")))
	}
	t.Errorf("three windows miss the truth: %s", strings.Join(missed, ", "))
}
