package report_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
)

func to[T any](v T) *T { return &v }

// run is the n-th run of an experiment, of so many joules per output token.
func run(name string, n int, perToken float64) report.Entry {
	began := time.Date(2026, 11, 30, 10, n, 0, 0, time.UTC)
	return report.Entry{Dir: fmt.Sprintf("results/%s-%d", name, n), Record: &result.Record{
		SchemaVersion: result.SchemaVersion, ExperimentID: fmt.Sprint(name, n), Name: name, Status: result.Completed,
		ConfigHash: "sha256:" + name, StartedAt: began, EndedAt: began.Add(40 * time.Second),
		Model: result.Model{ID: "reference/small"}, Engine: result.Engine{Name: "reference", Image: "llem/reference"},
		Environment:  result.Environment{GPUs: []result.GPU{{UUID: "GPU-1", Name: "NVIDIA A100"}}},
		EnergyTotalJ: to(1000 * perToken), EnergyPerOutputToken: to(perToken), WindowSeconds: to(30.0),
		Energy:   result.Energy{Valid: true, Scope: "gpu", Backend: "nvml", Method: "counter_edge_aligned", CoverageK: 2, URepeatabilityJ: to(0.5), UAbsoluteJ: to(35.0)},
		Tokens:   result.Tokens{Input: to(int64(500)), Output: to(int64(1000)), Source: "server", InputSource: "server"},
		Requests: result.Requests{Completed: 10, PromptChecksum: "sha256:prompts"}, TokensPerSecond: to(33.3),
	}}
}

// The first line is what the run was for.
func ExampleRecord() {
	e := run("quickstart", 1, 0.42)
	var b strings.Builder
	if err := report.Record(e.Record, e.Dir).Write(&b, report.Options{}); err != nil {
		fmt.Println(err)
	}
	first, _, _ := strings.Cut(b.String(), "\n")
	fmt.Println(first)
	// Output:
	// ENERGY: 0.420 J per output token, ± 0.0010 repeatability, ± 0.070 absolute
}

func ExampleSide() {
	var b strings.Builder
	if err := report.Side([]report.Entry{run("eager", 1, 0.42), run("graphs", 2, 0.40)}).Write(&b, report.Options{}); err != nil {
		fmt.Println(err)
	}
	for line := range strings.Lines(b.String()) {
		if strings.HasPrefix(line, "  J/token") || strings.HasPrefix(line, "  tokens/s") {
			fmt.Print(line)
		}
	}
	// Output:
	// J/token                                  0.420                          0.400
	//   tokens/s                                 33.30                          33.30
}

// Runs of two configurations that took turns.
func ExampleCompare() {
	c, err := report.Compare([]report.Entry{
		run("eager", 1, 1.000), run("graphs", 2, 0.931), run("graphs", 3, 0.928),
		run("eager", 4, 1.004), run("eager", 5, 0.999), run("graphs", 6, 0.930),
	}, "eager")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Differences[0].Sentence)
	// Output:
	// B uses 7.13 ± 0.88 % less energy per output token than A
}

// A study of which one run is missing.
func ExampleStudy() {
	plan := &result.StudyPlan{
		Name: "graphs", Points: []result.StudyPoint{{Name: "eager", ConfigHash: "sha256:eager"}, {Name: "graphs", ConfigHash: "sha256:graphs"}},
		Runs: [][2]int{{1, 1}, {1, 2}},
	}
	done := run("eager", 1, 0.42)
	done.Record.Study = &result.StudyRun{Run: 1, Cycle: 1}
	s, err := report.Study(plan, []report.Entry{done}, "")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s.Status, s.Runs.Planned, "planned,", len(s.Missing), "missing")
	// Output:
	// incomplete 2 planned, 1 missing
}

// What a command used that ran without a GPU.
func ExampleCommand() {
	c := &result.Command{Command: []string{"make", "all"}, NoGPUEnergy: to("no NVIDIA driver"), Runs: []result.CommandRun{{Seconds: 12.5, CoverageK: 2}}}
	if err := report.Command(c).Write(os.Stdout, report.Options{}); err != nil {
		fmt.Println(err)
	}
	// Output:
	// make all, 1 run
	//
	//   energy               – (no NVIDIA driver)
	//   time                 12.50 s
}
