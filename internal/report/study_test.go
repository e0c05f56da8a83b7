package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// studied is a study of two points in three cycles, of which the second point's runs
// change as told.
func studied(change func(*result.Record)) (*result.StudyPlan, []Entry) {
	same := 1
	plan := &result.StudyPlan{
		ID: "s1", Name: "s", Points: []result.StudyPoint{{Name: "first"}, {Name: "second"}, {Name: "third", Invalid: "it cannot be"}, {Name: "fourth", SameAs: &same}},
		Runs: [][2]int{{1, 2}, {1, 1}, {2, 1}, {2, 2}, {3, 2}, {3, 1}},
	}
	energies := map[int][]float64{1: {1, 1.2, 1.1}, 2: {0.9, 1.085, 0.985}}
	var runs []Entry
	for i, r := range plan.Runs {
		name := plan.Points[r[1]-1].Name
		e := repeats(name, nil, energies[r[1]][r[0]-1])[0]
		e.Record.ExperimentID = fmt.Sprint(i)
		at(e.Record, i)
		e.Record.Study = &result.StudyRun{ID: "s1", Run: i + 1, Cycle: r[0], Point: name}
		e.Cycle = fmt.Sprint(r[0])
		if change != nil && r[1] == 2 {
			change(e.Record)
		}
		runs = append(runs, e)
	}
	return plan, runs
}

func TestAStudysSummary(t *testing.T) {
	t.Parallel()
	plan, runs := studied(nil)
	s, err := Study(plan, runs, "")
	if err != nil {
		t.Fatal(err)
	}
	if s.Status != "complete" || s.Runs != (StudyCounts{Planned: 6, Completed: 6}) || len(s.NotRun) != 2 || len(s.Missing) != 0 {
		t.Errorf("%+v", s)
	}
	c := s.Comparison
	if c.Versus != "A" || c.Points[0].Name != "first" || len(c.Differences) != 1 || c.Differences[0].Method != "paired" || *c.Differences[0].Verdict != "less" {
		t.Errorf("it is not compared with the file's first point, by cycle: %+v", c)
	}
	for _, want := range []string{"Study s: 6 of 6 runs completed, 0 failed, 0 missing", "% less energy per output token than A", "third: it cannot be", "fourth: the same as first"} {
		if got := studyText(t, s); !strings.Contains(got, want) {
			t.Errorf("it does not say %q:\n%s", want, got)
		}
	}
}

func studyText(t *testing.T, s *StudySummary) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Document().Write(&b, Options{Width: 80, Grouped: true}); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if columns(strings.TrimSuffix(line, "\n")) > 80 {
			t.Errorf("over 80 columns: %s", line)
		}
	}
	return strings.NewReplacer(hard, " ", group, " ").Replace(b.String())
}

// What is missing is said, and what failed stands apart.
func TestAStudyThatWasStopped(t *testing.T) {
	t.Parallel()
	plan, runs := studied(func(r *result.Record) {
		if r.Study.Run == 4 {
			r.Status, r.Error = result.Failed, "container died"
		}
	})
	s, err := Study(plan, runs[:5], "second")
	if err != nil {
		t.Fatal(err)
	}
	if s.Status != "incomplete" || s.Runs != (StudyCounts{Planned: 6, Completed: 4, Failed: 1, Missing: 1}) || len(s.Missing) != 1 || s.Missing[0] != "006_c3_first" {
		t.Errorf("%+v", s)
	}
	if got := studyText(t, s); s.Comparison.Versus != "B" || !strings.Contains(got, "failed: container died") || !strings.Contains(got, "006_c3_first") {
		t.Errorf("versus %s\n%s", s.Comparison.Versus, got)
	}
}

// On a host without a GPU a study still says how fast its points were.
func TestAStudyWithoutEnergy(t *testing.T) {
	t.Parallel()
	none := func(r *result.Record) {
		r.EnergyTotalJ, r.EnergyPerOutputToken = nil, nil
		r.Energy.Valid, r.Energy.Reasons = false, []string{"no NVIDIA GPU"}
	}
	plan, runs := studied(none)
	for _, e := range runs {
		none(e.Record)
	}
	s, err := Study(plan, runs, "")
	if err != nil {
		t.Fatal(err)
	}
	p := s.Comparison.Points[0]
	if p.Completed != 3 || p.TokensPerSecond == nil || p.TokensPerSecond.Interval95 == nil || p.MeanPowerW != nil {
		t.Errorf("%+v", p)
	}
	if got := studyText(t, s); !strings.Contains(got, "Without energy") || strings.Contains(got, "J/token   spread") {
		t.Errorf("\n%s", got)
	}
}
