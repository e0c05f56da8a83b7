package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// study writes a study file.
func (h *host) study(text string) string {
	h.t.Helper()
	path := h.path("study.yaml")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		h.t.Fatal(err)
	}
	return path
}

const aStudy = `model: reference/tiny
engine: {image: ` + image + `, env: {HF_TOKEN: hf_plantedPlanted}}
sweep:
  workload.load.concurrency: [1, 4]
  engine.args.api-key: [sk-plantedOne, sk-plantedTwo]
  gpus: [[0], [0, 1]]
experiments:
  - {engine: {image: "127.0.0.1:9/llem-test/nowhere:1"}, workload: {extra_body: {note: see hf_plantedPlanted}}}
execution: {cycles: 4, order: latin_square, seed: 3}
`

func TestADryRunPrintsAStudysPlan(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.llem("run", "--dry-run", h.study(aStudy))
	o.planned(t,
		"# points:      9 (workload.load.concurrency 2 × engine.args.api-key 2 × gpus 2 + experiments 1), 4 not valid, 2 the same as another and run once: 3 are run\n",
		"# cycles:      6, rounded up from 4: a Latin square of 3 points has so many rows\n",
		"# order:       latin_square, seed 3\n", "# runs:        18\n", "# time:        at least 18 min 1 s, by baselines",
		"# image:       "+image+": is here\n", "# image:       127.0.0.1:9/llem-test/nowhere:1: would be pulled\n",
		"    1  concurrency-1_api-key-REDACTED_gpus-0\n         workload.load.concurrency: 1\n         engine.args.api-key: REDACTED\n         gpus: [0]\n",
		"not valid, and not run: parallel: tensor × pipeline × data is 1, and gpus lists 2", "the same as point 1, and not run again",
		"workload.extra_body.note: see REDACTED", "# order, by cycle:\n    1  ", "\n    6  ",
	)
	if strings.Contains(o.stdout+o.stderr, "lanted") {
		t.Errorf("it printed a secret:\n%s%s", o.stdout, o.stderr)
	}
}

func TestAPlanIsTheSameEachTime(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	config := h.study("model: reference/tiny\nsweep: {seed: [1, 2, 3, 4, 5]}\n")
	first := h.llem("run", "--dry-run", "--image", image, config)
	if again := h.llem("run", "--dry-run", "--image", image, config); again.stdout != first.stdout || first.code != 0 {
		t.Errorf("exit %d\n%s%s\nand then\n%s", first.code, first.stdout, first.stderr, again.stdout)
	}
}

// What a study's runs lack is told before anything is measured, all of it, and
// leaves no folder.
func TestAStudyThatLacksImagesIsNotBegun(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	config := h.study("model: reference/tiny\nengine: {pull: never}\noutput: {dir: out}\nsweep: {engine.image: [llem-test/none:1, " + image + ", llem-test/none:2]}\n")
	h.llem("run", config).refused(t, exitUsage, "nothing was measured yet", "llem-test/none:1", "llem-test/none:2")
	if left, err := os.ReadDir(h.path("out")); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
	h.llem("run", h.study("model: reference/tiny\nsweep: {seed: [1, 2]}\n")).refused(t, exitUsage, "2 points name neither an image nor a server")
	h.llem("run", "--from", h.path("study.yaml"), "--yes", config).refused(t, exitUsage, "--from")
}

// Over 100 runs somebody has to mean it.
func TestALongStudyIsAskedAbout(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	config := h.study("model: reference/tiny\nengine: {image: " + image + "}\nsweep: {seed: [1, 2]}\nexecution: {cycles: 60}\n")
	h.llem("run", config).refused(t, exitUsage, "study has 120 runs", "--yes")
	h.llem("run", "--yes", h.config("model: reference/tiny\nengine: {image: "+image+"}\n")).refused(t, exitUsage, "--yes is of studies")
}

func TestAPlanAsJSON(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.llem("run", "--dry-run", "--json", h.study(aStudy))
	var p result.StudyPlan
	decodeJSON(t, o.stdout, &p)
	if o.code != exitDone || len(p.Points) != 9 || len(p.Runs) != 18 || p.Points[1].Invalid == "" || p.Points[2].SameAs == nil || !slices.Contains(p.Swept, "engine.args.api-key") {
		t.Errorf("exit %d: %+v", o.code, p)
	}
	if strings.Contains(o.stdout, "lanted") {
		t.Errorf("it printed a secret:\n%s", o.stdout)
	}
}

func TestAnExperimentsPlanIsNoJSON(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.llem("run", "--dry-run", "--json", h.config("model: reference/tiny\nengine: {image: "+image+"}\n")).refused(t, exitUsage, "--json and --dry-run")
}

func TestAStudysImagesAndModelsArePulled(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.llem("pull", h.study("model: reference/tiny\nengine: {image: "+image+"}\nsweep: {seed: [1, 2], model: [reference/tiny, reference/small]}\n"))
	if o.code != exitDone || strings.Count(o.stdout, "image   "+image) != 2 {
		t.Errorf("exit %d, want the image for each of two models\n%s%s", o.code, o.stdout, o.stderr)
	}
}

// An axis too many is noticed before anything runs: 56,832 points of a grid that
// nobody meant.
func TestAPlanOfFarTooManyRunsSaysSo(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	list := func(n int) string {
		return "[" + strings.Join(strings.Fields("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 36 37")[:n], ", ") + "]"
	}
	o := h.llem("run", "--dry-run", "--image", image, h.study("model: a/b\nsweep:\n  seed: "+list(37)+"\n  warmup.n_warmup: "+list(12)+"\n  engine.args.a: "+list(8)+"\n  engine.args.b: "+list(16)+"\n"))
	o.planned(t, "# points:      56832 (seed 37 × warmup.n_warmup 12 × engine.args.a 8 × engine.args.b 16)", "# runs:        170496\n", "days, by", "over 100 runs or 24 h", "# and 56732 more\n")
	if lines := strings.Count(o.stdout, "\n"); lines > 1000 || len(o.stdout) > 100_000 {
		t.Errorf("%d lines, %d bytes", lines, len(o.stdout))
	}
}

func TestExamplesOfStudiesArePlanned(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	files, err := filepath.Glob("../../examples/studies/*.yaml")
	if err != nil || len(files) < 6 {
		t.Fatalf("%v, %v", files, err)
	}
	runs := regexp.MustCompile(`(?m)^# runs: +\d+$`)
	for _, f := range files {
		path, err := filepath.Abs(f)
		if err != nil {
			t.Fatal(err)
		}
		if o := h.llem("config", "validate", path); o.code != 0 || filepath.Base(f) != "base.yaml" && !runs.MatchString(o.stdout) {
			t.Errorf("%s: exit %d\n%s%s", f, o.code, o.stdout, o.stderr)
		}
	}
}

// Only a yes begins what takes long.
func TestALongStudyIsBegunByAYes(t *testing.T) {
	for answer, begins := range map[string]bool{"y\n": true, " Yes \n": true, "yes": true, "n\n": false, "\n": false, "": false, "yesterday\n": false} {
		var said strings.Builder
		err := (&app{ctx: t.Context(), stderr: &said}).ask("long", "long has 120 runs", strings.NewReader(answer))
		if (err == nil) != begins {
			t.Errorf("%q: %v", answer, err)
		}
		if err != nil && codeOf(err) != exitUsage {
			t.Errorf("%q: exit %d", answer, codeOf(err))
		}
		if said.String() != "long has 120 runs. Begin? [y/N] " {
			t.Errorf("it asked %q", said.String())
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	nobody, _ := io.Pipe()
	if err := (&app{ctx: ctx, stderr: io.Discard}).ask("long", "", nobody); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}

// Prompts that are too few are a plan's point that is not run, with the reason, and
// a study of nothing else is refused.
func TestAPlanReadsItsPrompts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	if err := os.WriteFile(h.path("few.jsonl"), []byte("{\"prompt\": \"one\"}\n{\"prompt\": \"two\"}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	text := "model: reference/tiny\nengine: {image: " + image + "}\nworkload: {prompts: 3}\nsweep: {workload.source: [few.jsonl, synthetic]}\nexecution: {cycles: 2, order: interleave}\n"
	o := h.llem("run", "--dry-run", h.study(text))
	o.planned(t, "not valid, and not run: ", "few.jsonl holds 2 prompts, workload.prompts asks for 3", ", 1 not valid: 1 are run\n", "# runs:        2\n", "# model:       reference/tiny: is the engine's own to find\n", "\n    1  2\n    2  2\n")
	h.llem("run", "--dry-run", h.study(strings.Replace(text, ", synthetic", "", 1))).refused(t, exitUsage, "none of the study's points can be run", "few.jsonl holds 2 prompts, workload.prompts asks for 3")
}

// A plan says beforehand that its table will have no verdicts.
func TestAPlanSaysThatItHasNoVerdicts(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for more, want := range map[string]string{
		"sweep: {seed: [1, 2]}\nexecution: {order: sequential}\n":               "# verdicts:    none: where points run one after the other, drift looks like a difference; use execution.order shuffle or interleave\n",
		"sweep: {seed: [1, 2]}\nexecution: {cycles: 2}\n":                       "# verdicts:    none: drift cannot be distinguished from a difference in so few cycles (2); use execution.cycles 3 or more\n",
		"sweep: {seed: [1, 2]}\n":                                               "",
		"sweep: {seed: [1]}\nexecution: {order: sequential}\n":                  "",
		"sweep: {seed: [1, 2, 3]}\nexecution: {order: latin_square, cycles: 2}": "",
	} {
		o := h.llem("run", "--dry-run", h.sweep(more))
		if said := strings.Contains(o.stdout, "# verdicts:"); o.code != 0 || !strings.Contains(o.stdout, want) || said != (want != "") {
			t.Errorf("%s: exit %d\n%s%s", more, o.code, o.stdout, o.stderr)
		}
	}
}
