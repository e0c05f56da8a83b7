package main

import (
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/report"
)

// --repeat makes a study of one point, with all that a study has.
func TestRepeatRunsOneExperimentSeveralTimes(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	o := h.llem(h.quick("--repeat", "2", "--json", "--num-requests", "4", "--max-concurrency", "2", "--isl", "8", "--osl", "4")...)
	var s report.StudySummary
	decodeJSON(t, o.stdout, &s)
	runs := h.runs()
	if o.code != 0 || len(runs) != 2 {
		t.Fatalf("exit %d, %d runs\n%s", o.code, len(runs), o.stderr)
	}
	for dir, r := range runs {
		if r.Study == nil || r.Requests.Completed != 4 || !strings.Contains(dir, "tiny-engine") {
			t.Errorf("%s: %+v, %+v", dir, r.Study, r.Requests)
		}
	}
	if o := h.llem("show", "--as", "vllm", h.studyDir()); o.code != 0 || strings.Count(o.stdout, "TTFT (ms)") != 2 || strings.Index(o.stdout, "001_c1") > strings.Index(o.stdout, "002_c2") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if o := h.llem("show", "--as", "aiperf", "--json", h.studyDir()); o.code != 0 || strings.Count(o.stdout, `"peer": "aiperf"`) != 2 {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if o := h.llem("run", "--resume", h.studyDir()); o.code != 0 || strings.Contains(o.stderr, "is gone") || len(h.runs()) != 2 {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	h.llem("run", "--resume", "--repeat", "3", h.studyDir()).says(t, exitUsage, "--repeat and --resume")
}

// A file with an experiment is repeated, and resumed from that file with the number
// that was asked for.
func TestRepeatOfAFileIsResumed(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	config := h.config("name: mine\nmodel: reference/tiny\nengine: {image: " + image + ", args: {x-fault: exit}}\nworkload: {prompts: 2, max_input_tokens: 8, max_output_tokens: 4}\noutput: {dir: " + h.path("out") + "}\n")
	o := h.llem("run", "--quick", "-r", "2", "--fail-fast", config)
	if o.code != exitFailed || !strings.Contains(o.stderr, "run --resume") {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	if o := h.llem("run", "--resume", h.studyDir()); !strings.Contains(o.stdout, "2 failed, 0 missing") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}

func TestRepeatIsRefusedWhereItMeansNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	study := h.sweep(grid)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--repeat", "2", study}, "execution.cycles"},
		{[]string{"--repeat", "0", "--image", image, "--model", "reference/tiny"}, "--repeat: execution.cycles: 0 is out of range"},
		{[]string{"--repeat", "x", "--image", image, "--model", "reference/tiny"}, "want a whole number"},
		{[]string{"--repeat", "2", "--from", h.path("out/x")}, "llem run --repeat 2 " + h.path("out/x/")},
		{[]string{"--request-rate", "inf", "--image", image, "--model", "reference/tiny"}, "give --concurrency N"},
		{[]string{"--timeout", "10", "--image", image, "--model", "reference/tiny"}, "10 has no unit: write 10s"},
		{[]string{"--timeout", "1.5", "--image", image, "--model", "reference/tiny"}, "1.5 has no unit"},
		{[]string{"--timeout", "ten minutes", "--image", image, "--model", "reference/tiny"}, "is no time: write one such as 90s"},
	} {
		h.llem(append([]string{"run"}, c.args...)...).refused(t, exitUsage, c.says)
	}
	o := h.llem("run", "--dry-run", "--repeat", "3", "--image", image, "--model", "reference/tiny")
	if o.code != 0 || !strings.Contains(o.stdout, "# runs:        3") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}
