package study

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// readStudy reads and decodes the file at path.
func readStudy(path string, opt Options) (*Study, []byte, error) {
	name, data, err := Read(path)
	if err != nil {
		return nil, nil, err
	}
	s, err := DecodeStudy(name, data, opt)
	return s, data, err
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestABaseStandsBelowTheFileAndItsPathsAreItsOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "low/lowest.yaml", "model: a/b\nseed: 1\ndtype: x\nengine: {args: {a: 1, b: 2}}\n")
	write(t, dir, "low/base.yaml", "base: lowest.yaml\nseed: 2\nworkload: {source: p.jsonl}\nengine: {container: {mounts: ['m:/m']}}\n")
	path := write(t, dir, "studies/s.yaml", "base: ../low/base.yaml\nengine: {args: {b: 3}}\nexperiments: [{}]\n")
	user := &Layer{Source: "user.yaml", Data: []byte("engine: {args: {u: 1}}\n")}
	s, _, err := readStudy(path, Options{User: user})
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.Plan()
	if err != nil {
		t.Fatal(err)
	}
	e, err := p.Experiment(0)
	if err != nil {
		t.Fatal(err)
	}
	if e.Model != "a/b" || e.Seed != 2 || e.DType != "x" || e.Workload.Source != filepath.Join(dir, "low", "p.jsonl") || e.Engine.Container.Mounts[0] != filepath.Join(dir, "low", "m")+":/m" {
		t.Errorf("%+v", e)
	}
	if diff := cmp.Diff(map[string]any{"a": 1, "b": 3}, e.Engine.Args); diff != "" {
		t.Errorf("flags: -want +got:\n%s", diff)
	}
	if p.Name != "s" {
		t.Errorf("named %q", p.Name)
	}
}

func TestABaseThatIncludesItselfIsRefusedWithTheChain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.yaml", "base: b/b.yaml\nseed: 1\n")
	write(t, dir, "b/b.yaml", "seed: 2\nbase: ../s.yaml\n")
	for base, want := range map[string]string{
		"s.yaml":   "s.yaml:2:7: base: includes itself: s.yaml → s.yaml",
		"./s.yaml": "includes itself: s.yaml → s.yaml",
		"a.yaml":   "b.yaml:2:7: base: includes itself: s.yaml → a.yaml → b.yaml → s.yaml",
	} {
		path := write(t, dir, "s.yaml", "model: x/y\nbase: "+base+"\nexperiments: [{}]\n")
		if _, _, err := readStudy(path, Options{}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "^") {
			t.Errorf("%s: got %v, want %s", base, err, want)
		}
	}
}

func TestABaseIsAnExperimentsFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := write(t, dir, "s.yaml", "base: b.yaml\nexperiments: [{}]\n")
	for text, want := range map[string]string{
		"model: a/b\nsweep: {seed: [1, 2]}\n":  "b.yaml:2:1: sweep: belongs to the study, and this is the base of ",
		"model: a/b\nexecution: {cycles: 1}\n": "b.yaml:2:1: execution: belongs to the study",
		"model: a/b\nsede: 1\n":                "b.yaml:2:1: sede: unknown key; did you mean \"seed\"?",
		"model: [":                             "b.yaml:1:",
		"- a\n":                                "b.yaml:1:1: the file is not a mapping",
	} {
		write(t, dir, "b.yaml", text)
		if _, _, err := readStudy(path, Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %s", text, err, want)
		}
	}
}
