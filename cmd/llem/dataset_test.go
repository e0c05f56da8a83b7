package main

import (
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/hub/standin"
)

// The prompts of a dataset are downloaded beforehand, sent, told in the record, and
// found again without the hub.
func TestADatasetIsMeasured(t *testing.T) {
	t.Parallel()
	rows := strings.Repeat(`{"conversations":[{"from":"human","value":"one of many"}]},`, 3) +
		`{"conversations":[{"from":"human","value":"two of many"},{"from":"gpt","value":"no"}]},{"conversations":[]},{"conversations":[{"from":"human","value":"three of many"}]}`
	h, hub := hubHost(t, func(s *standin.Hub) {
		s.Repo, s.Token = "datasets/owner/talk", ""
		s.Files = map[string][]byte{"talk.json": []byte("[" + rows + "]"), "README.md": []byte("x")}
	})
	config := h.config("model: reference/tiny\nengine: {image: " + image + "}\nworkload: {source: 'hf:owner/talk', prompts: 3, max_output_tokens: 8, order: shuffled}\n")
	h.llem("run", "--dry-run", config).planned(t, "# prompts:     would download hf:owner/talk\n")
	h.llem("run", "--quick", "--pull", "never", "-o", h.path("out"), config).refused(t, exitUsage, "workload.source: not found: hf:owner/talk (revision main) is not in")
	if n := hub.Served(); n > 0 {
		t.Errorf("a dry run and --pull never downloaded %d bytes", n)
	}
	o := h.llem("pull", config)
	if o.code != exitDone || !strings.Contains(o.stdout, "prompts hf:owner/talk\n        commit "+standin.Commit) {
		t.Errorf("pull: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	hub.Close()
	o = h.llem("run", "--quick", "-o", h.path("out"), config)
	r := o.record(t)
	if q := r.Requests; o.code != exitDone || q.Completed != 3 || q.SourceCommit == nil || *q.SourceCommit != standin.Commit || len(q.SourceSHA256) != 64 || q.LeftOut["empty"] != 1 || q.LeftOut["repeated"] != 2 || q.LengthsBy != "tokenize" {
		t.Errorf("exit %d, %+v\n%s", o.code, r.Requests, o.stderr)
	}
	if all := strings.Join(r.MeasurementWarnings, "\n"); !strings.Contains(all, "prompts_left_out: 1 empty and 2 repeated prompts of hf:owner/talk were left out") {
		t.Errorf("it does not say so:\n%s", all)
	}
	again := h.llem("run", "-o", h.path("again"), "--from", o.dirs[0])
	if again.code != exitDone {
		t.Errorf("again: exit %d\n%s", again.code, again.stderr)
	}
	// A study tells of a point whose prompts are too few, and runs the other.
	study := h.study("model: reference/tiny\nengine: {image: " + image + "}\nworkload: {source: 'hf:owner/talk/talk.json'}\nsweep: {workload.prompts: [3, 4]}\n")
	h.llem("run", "--dry-run", study).prints(t, "hf:owner/talk/talk.json holds 3 prompts beside 1 empty and 2 repeated", ": 1 are run\n")
}
