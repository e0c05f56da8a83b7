package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/report"
	"github.com/llenergymeasure/llem/internal/result"
)

// Three repeats of two points, measured in turns: twice the concurrency halves the
// time, and at constant power the energy.
func TestCompareMeasuredPoints(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	for turn := range 6 {
		file := h.config(fmt.Sprintf("name: c%d\nmodel: reference/tiny\nengine: {image: %s, args: {x-pace: 10}}\n"+
			"workload: {prompts: 6, max_output_tokens: 100, load: {concurrency: %[1]d}}\n", 1+turn%2, image))
		if o := h.llem("run", "--quick", "-o", h.path("out"), file); o.code != 0 {
			t.Fatalf("exit %d\n%s", o.code, o.stderr)
		}
	}
	dirs, _ := filepath.Glob(h.path("out/*")) // the pattern is good
	var c report.Comparison
	o := h.llem(append([]string{"compare", "--json", "--versus", "c1"}, dirs...)...)
	decodeJSON(t, o.stdout, &c)
	if o.code != 0 || len(c.Points) != 2 || len(c.Points[0].Results) != 3 || len(c.Points[1].Results) != 3 || len(c.Differences) != 1 {
		t.Fatalf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	d := c.Differences[0]
	if d.Percent > 0 || d.Percent < -70 || d.Method != "trend" || d.Verdict == nil || *d.Order != "A B A B A B" || d.OtherGPUs || c.Points[1].Doubts["quick_mode"] != 3 || c.Points[1].UMeterJ == nil {
		t.Errorf("%+v", d)
	}
	if len(c.Differs) != 1 || c.Differs[0].Key != "workload.load.concurrency" || c.Differs[0].Values["B"] != "2" {
		t.Errorf("what differs: %+v", c.Differs)
	}
	if text := h.llem(append([]string{"compare"}, dirs...)...).stdout; !strings.Contains(text, "\nAgainst A\n  B ") {
		t.Errorf("printed:\n%s", text)
	}
}

// kept writes records of two points, one run of which a study has in a cycle each, in
// turns.
func kept(t *testing.T, h *host) (dirs []string) {
	t.Helper()
	for i, e := range []float64{1.0, 1.1, 0.9, 0.89, 1.0, 0.8} {
		name := fmt.Sprint("point", i/3)
		s, err := result.Create(h.path("out"), fmt.Sprintf("00%d_c%d_%s", i, i%3, name), time.Unix(0, 0))
		if err != nil {
			t.Fatal(err)
		}
		total, u := e*1000, 1.0
		start := time.Unix(int64(100*(2*(i%3)+i/3)), 0)
		r := &result.Record{
			SchemaVersion: result.SchemaVersion, ExperimentID: fmt.Sprint(i), Name: name, ConfigHash: name, Status: result.Completed, StartedAt: start, EndedAt: start.Add(time.Minute),
			Config: map[string]any{"seed": i / 3}, Study: &result.StudyRun{ID: "s", Run: i + 1, Cycle: i%3 + 1},
			EnergyTotalJ: &total, EnergyPerOutputToken: &e, Energy: result.Energy{Valid: true, URepeatabilityJ: &u},
			Tokens: result.Tokens{Output: new(int64(1000))},
		}
		if err := s.PutRecord(r); err != nil {
			t.Fatal(err)
		}
		dirs = append(dirs, s.Dir())
	}
	return dirs
}

func TestCompareReadsWhatItCan(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dirs := kept(t, h)
	var c report.Comparison
	o := h.llem(append([]string{"compare", "--json", "nowhere", dirs[0] + "/"}, dirs...)...)
	decodeJSON(t, o.stdout, &c)
	if o.code != exitUsage || !strings.Contains(o.stderr, "no result at nowhere") || !strings.Contains(o.stderr, "counted once") {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	if len(c.Points) != 2 || len(c.Points[0].Results) != 3 || len(c.Differences) != 1 || c.Differences[0].Method != "paired" {
		t.Errorf("%s", o.stdout)
	}
}

func TestCompareAndExportRefuse(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dirs := kept(t, h)
	before, err := os.ReadFile(filepath.Join(dirs[0], result.RecordFile))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"compare"}, "name a result"},
		{[]string{"compare", "nowhere"}, "no result at nowhere"},
		{append([]string{"compare", "--versus", "x"}, dirs...), "--versus x: there is no such point; there are A point0, B point1"},
		{append([]string{"compare", "--versus", ""}, dirs...), "--versus: blank"},
		{append([]string{"export"}, dirs...), "--csv=FILE or --parquet=FILE or --jsonl=FILE"},
		{append([]string{"export", "--csv", "a", "--jsonl", "b"}, dirs...), "can't be used together"},
		{append([]string{"export", "--csv"}, dirs...), "name the file to write first"},
		{[]string{"export", "--csv", dirs[0] + "/result.json", dirs[1]}, "name the file to write first"},
		{append([]string{"export", "--csv", ""}, dirs...), "blank file"},
		{[]string{"export", "--csv", "new", "nowhere"}, "no result at nowhere"},
	} {
		if o := h.llem(c.args...); o.code != exitUsage || !strings.Contains(o.stderr, c.want) || strings.Contains(o.stdout, "point") {
			t.Errorf("llem %q: exit %d, %s\nwant %s", c.args, o.code, o.stderr, c.want)
		}
	}
	if after, err := os.ReadFile(filepath.Join(dirs[0], result.RecordFile)); err != nil || string(after) != string(before) {
		t.Errorf("a result was written over: %v", err)
	}
	if _, err := os.Stat(h.path("new")); err == nil {
		t.Error("a table of nothing was written")
	}
	if o := h.llem("export", "--parquet", h.path("no/table"), dirs[0]); o.code != exitUsage || !strings.Contains(o.stderr, "make it with mkdir -p") {
		t.Errorf("into no folder: exit %d, %s", o.code, o.stderr)
	}
}

func TestExportWritesATable(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dirs := kept(t, h)
	if o := h.llem(append([]string{"export", "--parquet", h.path("t.parquet")}, dirs...)...); o.code != 0 || o.stdout != "" {
		t.Fatalf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	columns := readParquet(t, h.path("t.parquet"))
	if !slices.Equal(columns["result"], dirs) || !slices.Equal(columns["config.seed"], []string{"0", "0", "0", "1", "1", "1"}) || columns["energy_per_output_token_j"][1] != "1.1" {
		t.Errorf("%v", columns)
	}
	csv := h.llem(append([]string{"export", "--csv", "-"}, dirs...)...).stdout
	if strings.Count(csv, "\n") != 7 || strings.Count(csv, ",point1,completed,") != 3 {
		t.Errorf("CSV:\n%s", csv)
	}
	if all := h.llem("export", "--csv", "-", h.path("out")).stdout; all != csv {
		t.Errorf("of the folder that holds them:\n%s", all)
	}
	var row map[string]any
	first, _, _ := strings.Cut(h.llem("export", "--jsonl", "-", dirs[0]).stdout, "\n")
	decodeJSON(t, first, &row)
	if row["energy_total_j"] != 1000.0 || row["mean_power_w"] != nil || slices.Contains(slices.Collect(maps.Keys(row)), "config.seed") {
		t.Errorf("%s", first)
	}
}
