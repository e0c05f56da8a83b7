package main

import (
	"fmt"
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

// kept writes records of two points in a folder, one run of which a study has in a cycle
// each, in turns.
func kept(out string) (dirs []string, err error) {
	for i, e := range []float64{1.0, 1.1, 0.9, 0.89, 1.0, 0.8} {
		name := fmt.Sprint("point", i/3)
		s, err := result.Create(out, fmt.Sprintf("00%d_c%d_%s", i, i%3, name), time.Unix(0, 0))
		if err != nil {
			return nil, err
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
			return nil, err
		}
		dirs = append(dirs, s.Dir())
	}
	return dirs, nil
}

func TestExportWritesParquet(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dirs, err := kept(h.path("out"))
	if err != nil {
		t.Fatal(err)
	}
	if o := h.llem(append([]string{"export", "--parquet", h.path("t.parquet")}, dirs...)...); o.code != 0 || o.stdout != "" {
		t.Fatalf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	columns := readParquet(t, h.path("t.parquet"))
	if !slices.Equal(columns["result"], dirs) || !slices.Equal(columns["config.seed"], []string{"0", "0", "0", "1", "1", "1"}) || columns["energy_per_output_token_j"][1] != "1.1" {
		t.Errorf("%v", columns)
	}
}
