package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
	"gonum.org/v1/gonum/stat"
	"gonum.org/v1/gonum/stat/distuv"
)

// sweep is a study of seconds; what stands in more is added to it.
func (h *host) sweep(more string) string {
	h.t.Helper()
	path := h.path("study.yaml")
	text := fmt.Sprintf("name: s\nmodel: reference/tiny\nengine: {image: %s}\nworkload: {prompts: 4, max_input_tokens: 8, max_output_tokens: 8}\nwarmup: {n_warmup: 1}\noutput: {dir: %q}\n%s", image, h.path("out"), more)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	return path
}

const grid = "sweep: {workload.load.concurrency: [1, 2]}\nexecution: {cycles: 2, order: interleave, gap_seconds: 1, cycle_gap_seconds: 1}\n"

// studyDir is the folder of the only study that was begun.
func (h *host) studyDir() string {
	h.t.Helper()
	dirs, err := filepath.Glob(h.path("out/*/" + result.PlanFile))
	if err != nil || len(dirs) != 1 {
		h.t.Fatalf("studies %v, %v", dirs, err)
	}
	return filepath.Dir(dirs[0])
}

// runs are the records of a study, each whole, by their folders.
func (h *host) runs() map[string]*result.Record {
	h.t.Helper()
	out := map[string]*result.Record{}
	files, err := filepath.Glob(filepath.Join(h.studyDir(), "*", result.RecordFile))
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range files {
		r, dir, err := result.Read(f)
		if err != nil {
			h.t.Fatal(err)
		}
		if seen, ok := result.CheckRecord(dir); !ok {
			h.t.Errorf("%s: %s", dir, seen)
		}
		for _, file := range r.Files {
			if seen := file.Check(dir); seen != "" {
				h.t.Errorf("%s: %s", dir, seen)
			}
		}
		computedAgain(h.t, r, dir)
		if r.Study == nil || len(r.Files) == 0 || r.Status == result.Interrupted {
			h.t.Errorf("%s: %s, study %+v, %d files", dir, r.Status, r.Study, len(r.Files))
		}
		out[filepath.Base(dir)] = r
	}
	return out
}

// complete checks that every run of the plan has one whole record, and nothing
// else has.
func (h *host) complete() map[string]*result.Record {
	h.t.Helper()
	plan, err := result.ReadStudyPlan(h.studyDir())
	if err != nil {
		h.t.Fatal(err)
	}
	runs := h.runs()
	for n := range plan.Runs {
		if r := runs[plan.Folder(n+1)]; r == nil || r.Status != result.Completed {
			h.t.Errorf("run %d: %+v", n+1, r)
		}
	}
	if len(runs) != len(plan.Runs) {
		h.t.Errorf("%d records for %d runs", len(runs), len(plan.Runs))
	}
	return runs
}

func TestAStudyRunsToItsAnswer(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	long := strings.Replace(grid, "sweep: {", "sweep: {engine.args.x-pace: [10], workload.max_output_tokens: [130], ", 1)
	o := h.llem("run", "--quick", h.sweep(long))
	if o.code != exitDone {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	for name, r := range h.complete() {
		if !strings.Contains(r.Gap, "none") && !strings.Contains(r.Gap, "skipped") || r.Engine.Kept != nil || r.Study.Hash == "" {
			t.Errorf("%s: gap %q, kept %v, %+v", name, r.Gap, r.Engine.Kept, r.Study)
		}
	}
	if !strings.Contains(o.stdout, "Against A") || !strings.Contains(o.stderr, "4 of 4 done, 0 failed, 0 left") {
		t.Errorf("stdout:\n%s\nstderr:\n%s", o.stdout, o.stderr)
	}
	for _, f := range []string{result.StudyFile, result.StudyInputFile, result.JournalFile, result.SummaryFile, result.SummaryTableFile} {
		if _, err := os.Stat(filepath.Join(h.studyDir(), f)); err != nil {
			t.Error(err)
		}
	}
	h.reproduced()
	again := h.llem("run", "--resume", h.studyDir())
	if again.code != exitDone || again.stdout != o.stdout {
		t.Errorf("a whole study again: exit %d\n%s", again.code, again.stderr)
	}
}

// reproduced makes the summary's table again from summary.parquet, by a reader that
// did not write it: means and their intervals, and the difference, which two cycles
// give no verdict on.
func (h *host) reproduced() {
	h.t.Helper()
	data, err := os.ReadFile(filepath.Join(h.studyDir(), result.SummaryFile))
	if err != nil {
		h.t.Fatal(err)
	}
	var s report.StudySummary
	decodeJSON(h.t, string(data), &s)
	rows := readParquet(h.t, filepath.Join(h.studyDir(), result.SummaryTableFile))
	column := func(name, point string) (out []float64) { // by cycle
		byCycle := map[string]float64{}
		for i, p := range rows["point"] {
			v, err := strconv.ParseFloat(rows[name][i], 64)
			if err != nil || rows["config.workload.load.concurrency"][i] == "" || rows["status"][i] != result.Completed {
				h.t.Fatalf("%s of row %d: %v", name, i, err)
			}
			if p == point {
				byCycle[rows["cycle"][i]] = v
			}
		}
		for c := range len(byCycle) {
			out = append(out, byCycle[strconv.Itoa(c+1)])
		}
		return out
	}
	near := func(what string, got, want float64) {
		h.t.Helper()
		if math.Abs(got-want) > 1e-9*math.Abs(want) {
			h.t.Errorf("%s: the table says %g, and the summary %g", what, got, want)
		}
	}
	student := func(v []float64) (mean, half float64) {
		mean, sd := stat.MeanStdDev(v, nil)
		n := float64(len(v))
		return mean, distuv.StudentsT{Sigma: 1, Nu: n - 1}.Quantile(0.975) * sd / math.Sqrt(n)
	}
	c := s.Comparison
	if len(c.Points) != 2 || len(c.Differences) != 1 {
		h.t.Fatalf("%d points, %d differences", len(c.Points), len(c.Differences))
	}
	var energies [2][]float64
	for i, p := range c.Points {
		energies[i] = column("energy_per_output_token_j", p.Name)
		for name, m := range map[string]*report.Mean{
			"energy_per_output_token_j": p.EnergyPerOutputTokenJ, "output_tokens_per_second": p.TokensPerSecond, "ttft_p50_ms": p.TTFTP50MS, "mean_power_w": p.MeanPowerW,
		} {
			mean, half := student(column(name, p.Name))
			near(p.Name+" "+name, mean, m.Mean)
			near(p.Name+" ± "+name, half, *m.Interval95)
		}
	}
	var logs, u [2]float64 // of the mean of the logarithms: itself, and the square of its uncertainty
	n := float64(len(energies[0]))
	for i, v := range energies {
		l := make([]float64, len(v))
		for k := range v {
			l[k] = math.Log(v[k])
		}
		mean, sd := stat.MeanStdDev(l, nil)
		logs[i], u[i] = mean, sd*sd/n
	}
	df := (u[0] + u[1]) * (u[0] + u[1]) * (n - 1) / (u[0]*u[0] + u[1]*u[1])
	half := distuv.StudentsT{Sigma: 1, Nu: df}.Quantile(0.975) * math.Sqrt(u[0]+u[1])
	percent := func(log float64) float64 { return 100 * math.Expm1(log) }
	d := c.Differences[0]
	near("difference", percent(logs[1]-logs[0]), d.Percent)
	near("its low end", percent(logs[1]-logs[0]-half), *d.Low)
	near("its high end", percent(logs[1]-logs[0]+half), *d.High)
	if d.Verdict != nil || *d.NoVerdict != "too_few_runs" || *d.Order != "A B A B" {
		h.t.Errorf("two cycles have a verdict, or another order: %+v", d)
	}
}

// A container that is kept serves all runs whose container would be the same, with
// its cache proven empty; the gaps are waited then, and not where one is started.
func TestAStudyKeepsItsContainer(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	study := strings.Replace(grid, "execution: {", "execution: {restart: engine_change, ", 1)
	study = strings.Replace(study, "sweep: {", "sweep: {engine.args.seed: [7, 8], ", 1)
	study = strings.Replace(study, "order: interleave", "order: sequential", 1)
	o := h.llem("run", "--quick", h.sweep(study))
	if o.code != exitDone {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	ids := map[string]bool{}
	for name, r := range h.complete() {
		ids[r.Engine.ContainerID] = true
		switch first := r.Study.Run == 1 || r.Study.Run == 5; {
		case first && (r.Engine.Kept != nil || r.Engine.StartupSeconds == nil || r.Study.GapSeconds != 0 || strings.Contains(r.Gap, "waited")):
			t.Errorf("%s: kept %+v, gap %q", name, r.Engine.Kept, r.Gap)
		case !first && (r.Engine.Kept == nil || r.Engine.StartupSeconds != nil || r.Study.GapSeconds < 1 || !strings.Contains(r.Gap, "waited 1s")):
			t.Errorf("%s: kept %+v, gap %q of %g s", name, r.Engine.Kept, r.Gap, r.Study.GapSeconds)
		case r.BaselinePowerW == nil:
			t.Errorf("%s: no baseline", name)
		}
	}
	if len(ids) != 2 {
		t.Errorf("%d containers, want one for each seed", len(ids))
	}
}

// What a GPU cannot take is known before the first run: the point is kept with the
// reason, and the others are run.
func TestAPointThatTheGPUCannotTake(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{})
	o := h.llem("run", "--quick", h.sweep("sweep: {gpu_settings.power_limit_w: [9000, 250]}\nexecution: {cycles: 1, order: sequential}\n"))
	runs := h.runs()
	if o.code != exitDone || len(runs) != 1 || runs[h.plan().Folder(1)].Status != result.Completed {
		t.Errorf("exit %d, %d records\n%s", o.code, len(runs), o.stderr)
	}
	if p := h.plan().Points[0]; !strings.Contains(p.Invalid, "it takes 200 to 400 W") || !strings.Contains(o.stdout, "it takes 200 to 400 W") {
		t.Errorf("the plan says %q of it\n%s", p.Invalid, o.stdout)
	}
	if o := h.llem("show", h.path("out/s_"+strings.SplitN(filepath.Base(h.studyDir()), "_", 2)[1]), h.studyDir()+"/"+h.plan().Folder(1)); o.code != exitDone {
		t.Errorf("a study's folder beside a result: exit %d\n%s", o.code, o.stderr)
	}
	h.llem("show", filepath.Join(h.studyDir(), result.SummaryFile)).refused(t, exitUsage, "is of a study, and no result")
}

// A study on a server that already runs waits its gaps, and needs no engine's name.
func TestAStudyOnAnEndpoint(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	path := h.path("endpoint.yaml")
	text := fmt.Sprintf("name: s\nmodel: reference/tiny\nengine: {endpoint: %q}\nworkload: {prompts: 4, max_input_tokens: 8, max_output_tokens: 8}\noutput: {dir: %q}\n%s", serve(t), h.path("out"), grid)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if o := h.llem("run", "--quick", path); o.code != exitDone {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	for name, r := range h.complete() {
		if waited := strings.HasPrefix(r.Gap, "waited 1s: the server was already running"); waited != (r.Study.Run > 1) {
			t.Errorf("%s: gap %q", name, r.Gap)
		}
	}
	h.llem("run", "--quick", "--versus", "Z", path).refused(t, exitUsage, "--versus Z: the study has no such point")
}

// Wherever llem is killed, and however often, going on ends with one whole record
// of every run, and with nothing left on the host.
func TestAStudyIsResumedAfterKillInEveryPhase(t *testing.T) {
	t.Parallel()
	for _, restart := range []string{"experiment", "engine_change"} {
		t.Run(restart, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, standin.GPU{Power: 100})
			args := []string{"run", "--quick", h.sweep(strings.Replace(grid, "execution: {", "execution: {restart: "+restart+", ", 1))}
			for _, phase := range []string{"preflight", "baseline", "launch", "warmup", "thermal floor", "window", "record", "after"} {
				c := h.start(args...)
				c.reach(phase)
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = c.Wait() // killed
				args = []string{"run", "--resume", h.studyDir()}
			}
			o := h.llem(args...)
			if o.code != exitDone {
				t.Fatalf("exit %d\n%s", o.code, o.stderr)
			}
			h.complete()
			if left := dockerCLI(t, "ps", "-aq", "--filter", "label=io.llem.lock="+h.path("locks/run-"+h.plan().ID+".lock")); left != "" {
				t.Errorf("containers left: %s", left)
			}
		})
	}
}

func (h *host) plan() *result.StudyPlan {
	h.t.Helper()
	p, err := result.ReadStudyPlan(h.studyDir())
	if err != nil {
		h.t.Fatal(err)
	}
	return p
}

func TestAnInterruptedStudyGoesOn(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := h.start("run", "--quick", h.sweep(grid))
	until(t, "the second run", func() bool { return strings.Contains(c.err.String(), "run 2 of 4") })
	c.reach("window")
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	o := c.finish()
	h.clean(c.Process.Pid)
	if o.code != exitInterrupted || !strings.Contains(o.stderr, "llem run --resume "+h.studyDir()) {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	if o := h.llem("run", "--resume", "-o", h.path("out")); o.code != exitDone || !strings.Contains(o.stderr, "resuming "+h.studyDir()) {
		t.Errorf("the newest: exit %d\n%s", o.code, o.stderr)
	}
	h.complete()
}

func TestAStudyIsRunByOneLlem(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	c := h.start("run", "--quick", h.sweep(grid))
	c.reach("launch")
	o := h.start("run", "--resume", h.studyDir()).finish()
	o.refused(t, exitHost, "is being run", fmt.Sprintf("pid %d", c.Process.Pid))
	if o := c.finish(); o.code != exitDone {
		t.Errorf("the first: exit %d\n%s", o.code, o.stderr)
	}
	h.clean(c.Process.Pid)
	h.complete()
}

// A study whose file was changed is refused with what has changed; accepted, it
// keeps what is still asked for.
func TestAChangedStudyIsRefusedUnlessAccepted(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if o := h.llem("run", "--quick", h.sweep(grid)); o.code != exitDone {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	before := h.complete()
	h.sweep(strings.Replace(grid, "[1, 2]", "[3, 2]", 1))
	h.llem("run", "--resume", h.studyDir()).refused(t, exitUsage, "--accept-changes", "-  - 1\n", "+  - 3\n")
	if o := h.llem("run", "--resume", "--accept-changes", h.studyDir()); o.code != exitDone {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	after, same := h.complete(), 0
	for _, r := range after {
		for _, b := range before {
			if b.ExperimentID == r.ExperimentID {
				same++
			}
		}
	}
	if same != 2 {
		t.Errorf("%d runs were kept, want those of concurrency 2", same)
	}
	if old, _ := filepath.Glob(filepath.Join(h.studyDir(), result.SupersededDir, "*", result.RecordFile)); len(old) != 2 {
		t.Errorf("set aside: %v", old)
	}
}

// A daemon that goes away in a run, and takes its container along, costs that run a
// try; when it is back the study goes on by itself.
func TestAStudyWaitsForItsDaemon(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	g := h.gate()
	c := h.start("run", "--quick", h.sweep(strings.Replace(grid, "sweep: {", "sweep: {engine.args.x-pace: [10], ", 1)))
	c.reach("window")
	g.shut()
	for _, id := range containers(t, c.Process.Pid) {
		dockerCLI(t, "rm", "--force", id)
	}
	until(t, "it waits", func() bool { return strings.Contains(c.err.String(), "trying again in") })
	g.open()
	o := c.finish()
	h.clean(c.Process.Pid)
	if o.code != exitDone {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	h.complete()
	if old, _ := filepath.Glob(filepath.Join(h.studyDir(), result.SupersededDir, "*", result.RecordFile)); len(old) != 1 {
		t.Errorf("set aside: %v", old)
	}
}
