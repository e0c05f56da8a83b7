package study

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// sameStudy holds a study's effective file to the study: read from another folder, it
// plans the same.
func sameStudy(t *testing.T, s *Study) {
	t.Helper()
	want, err := s.Plan()
	if err != nil {
		return // none of its points is valid
	}
	text := s.EffectiveYAML()
	again, err := DecodeStudy(filepath.Join(t.TempDir(), "study.yaml"), text, Options{Quick: s.shared.quick})
	if err != nil {
		t.Fatalf("it cannot be read again: %v\n%s", err, text)
	}
	got, err := again.Plan()
	if err != nil {
		t.Fatalf("it cannot be planned again: %v\n%s", err, text)
	}
	if got.Hash != want.Hash || got.Name != want.Name {
		t.Errorf("%s %s, want %s %s\n%s", got.Name, got.Hash, want.Name, want.Hash, text)
	}
	if names := !strings.Contains(string(text), "/nowhere") && !strings.Contains(string(text), redacted); names {
		if diff := cmp.Diff(want.Points, got.Points); diff != "" {
			t.Errorf("points, -want +got:\n%s\n%s", diff, text)
		}
	}
	if !slices.Equal(slices.Collect(want.Runs()), slices.Collect(got.Runs())) {
		t.Errorf("another order\n%s", text)
	}
}

func TestAnEffectiveStudyPlansTheSame(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../../examples/studies/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	image := Options{Flags: []Set{{Path: "engine.image", Value: "i", Source: "--image"}}}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if !IsStudy(data) {
			continue
		}
		opt := image
		if strings.Contains(string(data), "image:") {
			opt = Options{}
		}
		s, err := DecodeStudy(f, data, opt)
		if err != nil {
			t.Fatal(err)
		}
		sameStudy(t, s)
	}
	for _, text := range []string{
		"sweep: {gpus: [[0], [0, 1]], seed: [1, 2]}\n",
		"sweep: {model: [./a, ../b, c], workload.source: [./p.jsonl, synthetic]}\n",
		"sweep:\n  x: [{}, {engine.args.a: [1, [2, 3], null]}, {engine.env: {A: \"1\"}, engine.args.b.c: [x]}]\n",
		"sweep: {engine.container.mounts: [[./a:/a], [/b:/b:ro]]}\n",
		"engine: {args: {q: 1, p: true}, env: {HF_TOKEN: hf_0123456789}}\nsweep: {engine.args.q: [null, 2], workload.extra_body.a.b: [1, null, {}]}\n",
		"experiments: [{}, {name: n, workload: {load: {concurrency: 9}}}]\nexecution: {seed: 5, cycles: 2, order: latin_square, timeout_hours: 1.5}\n",
		"sweep: {workload.load: [1]}\n",
		"sweep: {engine.env.API_KEY: [secret-one-two, secret-three-four]}\n",
		"workload: {load: {pattern: constant, rate_per_second: 2}}\nsweep: {workload.load.rate_per_second: [1, 2.5]}\n",
	} {
		s, err := DecodeStudy("/nowhere/s.yaml", []byte("model: m\n"+text), Options{})
		if err != nil {
			continue // what is refused has no effective file
		}
		sameStudy(t, s)
		if strings.Contains(string(s.EffectiveYAML()), "secret-") || strings.Contains(string(s.EffectiveYAML()), "hf_0") {
			t.Errorf("a secret is in it:\n%s", s.EffectiveYAML())
		}
	}
}

func TestDiffOfStudies(t *testing.T) {
	t.Parallel()
	if d := Diff([]byte("a\nb\n"), []byte("a\nb\n")); d != "" {
		t.Errorf("equal: %q", d)
	}
	if d := Diff([]byte("a\nb\n"), []byte("a\nc\n")); !strings.Contains(d, "-b\n+c\n") {
		t.Errorf("%q", d)
	}
}
