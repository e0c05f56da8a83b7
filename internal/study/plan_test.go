package study

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestAPointThatIsNotValidSaysWhy(t *testing.T) {
	t.Parallel()
	p := plan(t, "model: a/b\nsweep: {gpus: [[0, 1], [0]]}\n")
	if want := "parallel: tensor × pipeline × data is 1, and gpus lists 2: make them equal"; p.Points[0].Invalid != want || p.Points[1].Invalid != "" {
		t.Errorf("%+v", p.Points)
	}
	if _, err := p.Experiment(0); err == nil || !strings.Contains(err.Error(), "not valid") {
		t.Errorf("its experiment: %v", err)
	}
	for r := range p.Runs() {
		if r.Point == 0 {
			t.Error("it is run")
		}
	}
}

func TestNamesOfPointsAreShortUniqueAndFileSafe(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long", 40)
	p := plan(t, fmt.Sprintf("model: a/b\nsweep: {engine.args.x: [%sA, %sB, 'ä/ö', '../..', -1, 1, '', ' ', 'A', 'a'], workload.extra_body.%s: [1, 2], engine.args.b: [1, 2]}\n", long, long, long))
	seen := map[string]bool{}
	for _, n := range names(p) {
		k, _ := row("name")
		if err := k.matches(n); err != nil || len(n) > longestName+8 || seen[strings.ToLower(n)] || n == "" {
			t.Errorf("%q: %v, seen before: %v", n, err, seen[strings.ToLower(n)])
		}
		seen[strings.ToLower(n)] = true
	}
	if len(seen) != 40 {
		t.Errorf("%d names, want 40", len(seen))
	}
}

func TestNamesThatAreGivenAreKeptApart(t *testing.T) {
	t.Parallel()
	p := plan(t, "model: a/b\nexperiments: [{name: a, seed: 1}, {name: a-2, seed: 2}, {name: A, seed: 3}, {name: a, seed: 4}, {name: a-2, seed: 5}]\n")
	if got, want := strings.Join(names(p), " "), "a a-2 A-3 a-4 a-2-2"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestSettingsOfAPoint(t *testing.T) {
	t.Parallel()
	p := plan(t, "model: a/b\nengine: {env: {HF_TOKEN: hf_shared_secret}}\nsweep: {engine.args.api-key: [sk-planted-1], engine.args.note: ['see hf_shared_secret'], gpus: [[0]], seed: [3], engine.args.l: [[1, a]], engine.args.off: [null], workload.extra_body.auth.user: [ann-planted]}\n")
	want := []Setting{
		{"engine.args.api-key", "REDACTED"}, {"engine.args.note", "see REDACTED"}, {"gpus", "[0]"}, {"seed", "3"},
		{"engine.args.l", `[1,"a"]`}, {"engine.args.off", "null"}, {"workload.extra_body.auth.user", "REDACTED"},
	}
	if diff := cmp.Diff(want, p.Settings(0)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestTheStudysHashIsOfWhatIsRunAndHow(t *testing.T) {
	t.Parallel()
	hash := func(text string) string { return plan(t, "model: a/b\n"+text).Hash }
	base := hash("sweep: {seed: [1, 2]}\n")
	for _, same := range []string{
		"name: other\noutput: {dir: d}\nsweep: {seed: [1, 2]}\n",
		"experiments: [{seed: 1}, {name: x, seed: 2}]\n",
		"sweep: {seed: [1, 2, 1]}\n",
		"execution: {cycles: 3, order: shuffle}\nsweep: {seed: [1, 2]}\n",
	} {
		if hash(same) != base {
			t.Errorf("%q has another hash", same)
		}
	}
	for _, other := range []string{
		"sweep: {seed: [1, 3]}\n", "sweep: {seed: [2, 1]}\n", "sweep: {seed: [1, 2]}\nwarmup: {n_warmup: 6}\n",
		"sweep: {seed: [1, 2]}\nexecution: {cycles: 4}\n", "sweep: {seed: [1, 2]}\nexecution: {order: interleave}\n",
		"sweep: {seed: [1, 2]}\nexecution: {seed: 1}\n", "sweep: {seed: [1, 2]}\nexecution: {gap_seconds: 61}\n",
	} {
		if hash(other) == base {
			t.Errorf("%q has the same hash", other)
		}
	}
}

func TestImagesOfAPlan(t *testing.T) {
	t.Parallel()
	p := plan(t, "model: a/b\nsweep: {engine.image: [a, b], seed: [1, 2]}\nexperiments: [{engine: {image: c, pull: always}}, {engine: {image: null, endpoint: 'http://x'}}, {engine: {image: d}, parallel: {tensor: 2}, gpus: none}]\n")
	want := []Image{{"a", "missing"}, {"b", "missing"}, {"c", "always"}}
	if diff := cmp.Diff(want, p.Images()); diff != "" || p.Nameless() != 0 {
		t.Errorf("%d without one, -want +got:\n%s", p.Nameless(), diff)
	}
	if n := plan(t, "model: a/b\nsweep: {engine.image: [null, x], seed: [1, 2]}\n").Nameless(); n != 2 {
		t.Errorf("%d points without an image, want 2", n)
	}
}

func TestTheLeastTimeOfAPlan(t *testing.T) {
	t.Parallel()
	const image = "model: a/b\nengine: {image: i}\n"
	for _, c := range []struct {
		name, text string
		seconds    float64
	}{
		{"floors and one baseline that is kept", image + "sweep: {seed: [1, 2]}\n", 30 + 6*60},
		{"a baseline each time", image + "baseline: {cache_ttl_seconds: 0}\nsweep: {seed: [1, 2]}\n", 6 * (30 + 60)},
		{"a baseline an hour", image + "warmup: {thermal_floor_seconds: 1800}\nsweep: {seed: [1, 2]}\n", 3*30 + 6*1800},
		{"one of each duration", image + "baseline: {duration_seconds: 10}\nexperiments: [{}, {baseline: {duration_seconds: 20}}]\nexecution: {order: interleave, cycles: 2}\n", 10 + 20 + 4*60},
		{"a baseline after", image + "baseline: {after: true, enabled: false}\nexperiments: [{}]\n", 3 * (60 + 30)},
		{"no GPU, no baseline", image + "gpus: none\nexperiments: [{}]\n", 3 * 60},
		{"a constant rate's schedule", image + "gpus: none\nworkload: {prompts: 101, load: {pattern: constant, rate_per_second: 2}}\nexperiments: [{}]\n", 3 * (60 + 50)},
		{"gaps of endpoints", "model: a/b\nengine: {endpoint: 'http://x'}\nsweep: {seed: [1, 2]}\nexecution: {order: interleave, cycles: 2, gap_seconds: 10, cycle_gap_seconds: 100}\n", 4*60 + 2*10 + 100},
		{"no cycle gaps when points follow themselves", "model: a/b\nengine: {endpoint: 'http://x'}\nsweep: {seed: [1, 2]}\nexecution: {order: sequential, cycles: 2, gap_seconds: 10}\n", 4*60 + 3*10},
		{"duplicates take none", image + "gpus: none\nsweep: {seed: [1, 1]}\n", 3 * 60},
	} {
		if got := plan(t, c.text).AtLeast(); got != Seconds(c.seconds) {
			t.Errorf("%s: %v, want %v", c.name, got, Seconds(c.seconds))
		}
	}
	s := decodeStudy(t, image+"experiments: [{}]\n", Options{Quick: true})
	if p, err := s.Plan(); err != nil || p.AtLeast() != 5*time.Second {
		t.Errorf("quick: %v, %v", p.AtLeast(), err)
	}
}

// large is a study of so many axes of ten values each, in three cycles.
func large(axes int) []byte {
	text := "model: a/b\nengine: {image: i}\nsweep:\n"
	for _, path := range []string{"seed", "workload.max_input_tokens", "workload.max_output_tokens", "engine.args.x", "workload.extra_body.x.y"}[:axes] {
		text += "  " + path + ": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n"
	}
	return []byte(text)
}

// A plan keeps a few hundred bytes of each point, and nothing of a run.
func TestPlansTakeBoundedMemory(t *testing.T) {
	s, err := DecodeStudy("s.yaml", large(4), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	p, err := s.Plan()
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	n := 0
	for range p.Runs() {
		n++
	}
	if kept := int64(after.HeapAlloc) - int64(before.HeapAlloc); kept > 600*10_000 || len(p.Points) != 10_000 || n != 30_000 {
		t.Errorf("%d points, %d runs, %d bytes kept", len(p.Points), n, kept)
	}
}

func BenchmarkPlanOf100000Points(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		s, err := DecodeStudy("s.yaml", large(5), Options{})
		if err != nil {
			b.Fatal(err)
		}
		p, err := s.Plan()
		if err != nil {
			b.Fatal(err)
		}
		for range p.Runs() {
		}
		if p.AtLeast() <= 0 {
			b.Fatal("no time")
		}
	}
}

func TestStartsAndSizeOfAPlan(t *testing.T) {
	t.Parallel()
	const image = "model: a/b\nengine: {image: i}\ngpus: none\n"
	const run = 64<<10 + 100*370 + 100*256*1.2 // by hand: the record, 100 requests, their tokens
	for _, c := range []struct {
		name, text string
		starts     int
		bytes      float64
	}{
		{"a container each", image + "sweep: {seed: [1, 2]}\nexecution: {cycles: 2}\n", 4, 4 * run},
		{"one of each load, kept", image + "sweep: {workload.load.concurrency: [1, 2]}\nexecution: {cycles: 2, restart: engine_change, order: interleave}\n", 1, 4 * run},
		{"two engines in turn, kept by none", image + "sweep: {engine.image: [i, j]}\nexecution: {cycles: 2, restart: engine_change, order: interleave}\n", 4, 4 * run},
		{"two engines after another", image + "sweep: {engine.image: [i, j]}\nexecution: {cycles: 2, restart: engine_change, order: sequential}\n", 2, 4 * run},
		{"servers that run", "model: a/b\nengine: {endpoint: 'http://x'}\ngpus: none\nsweep: {seed: [1, 2]}\n", 0, 6 * run},
		{"a GPU's readings", "model: a/b\nengine: {image: i}\nexperiments: [{}]\nexecution: {cycles: 1}\n", 1, run + (30+60+60)*10*28},
	} {
		p := plan(t, c.text)
		if p.Starts() != c.starts || p.Bytes() != int64(c.bytes) {
			t.Errorf("%s: %d starts and %d bytes, want %d and %.0f", c.name, p.Starts(), p.Bytes(), c.starts, c.bytes)
		}
	}
}

func TestPointsThatAreRefused(t *testing.T) {
	t.Parallel()
	p := plan(t, "model: a/b\nengine: {image: i}\nsweep: {seed: [1, 2, 3]}\nexecution: {cycles: 2, order: interleave}\n")
	hash := p.Hash
	if err := p.Refuse(map[int]string{1: "why not"}); err != nil || p.Len() != 4 || p.Points[1].Invalid != "why not" || p.Hash != hash {
		t.Errorf("%v, %d runs: %+v", err, p.Len(), p.Points[1])
	}
	for r := range p.Runs() {
		if r.Point == 1 {
			t.Error("it is run")
		}
	}
	if err := p.Refuse(map[int]string{0: "no", 2: "nor this"}); err == nil || !strings.Contains(err.Error(), "none of the study's points can be run:\nno\nnor this") {
		t.Errorf("none left: %v", err)
	}
}
