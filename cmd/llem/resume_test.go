package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// stopped is a study's folder as a killed llem may leave it.
func (h *host) stopped(plan, effective string) string {
	h.t.Helper()
	dir := h.path("out/s")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		h.t.Fatal(err)
	}
	for name, text := range map[string]string{result.PlanFile: plan, result.StudyFile: effective} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			h.t.Fatal(err)
		}
	}
	return dir
}

func TestResumeSaysWhatItCannot(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := h.stopped(`{"schema_version": "0.1`, "")
	h.llem("run", "--resume", dir).refused(t, exitUsage, "plan.json is damaged", "restore it from a copy")
	dir = h.stopped(`{"schema_version": "9.0"}`, "")
	h.llem("run", "--resume", dir).refused(t, exitUsage, "use the llem that wrote it")
	dir = h.stopped(`{"schema_version": "1.0", "runs": [[1, 7]]}`, "")
	h.llem("run", "--resume", dir).refused(t, exitUsage, "run 1 is of point 7", "there are 0 points")
	dir = h.stopped(`{"schema_version": "1.0"}`, "model: reference/tiny\nsweep: {seed: []}\n")
	h.llem("run", "--resume", dir).refused(t, exitUsage, "study.yaml:2:15: sweep.seed: the list is empty")
	dir = h.stopped(`{"schema_version": "`+result.SchemaVersion+`"}`, "model: reference/tiny\nsweep: {seed: []}\n")
	h.llem("run", "--resume", dir).refused(t, exitUsage, "plan.json is damaged", "plan_sha256 was taken out")
}

// A study's folder that has come from another host goes on here: its file is gone,
// and its own copy is taken; a secret that it does not keep is asked for.
func TestAStudyFromAnotherHostGoesOn(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	text := strings.Replace(grid, "sweep: {", "sweep: {engine.env.API_KEY: [planted-planted], ", 1)
	if o := h.llem("run", "--quick", h.sweep(text)); o.code != exitDone {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	dir, plan := h.studyDir(), h.plan()
	if err := os.Remove(h.path("study.yaml")); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, plan.Folder(2))); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(dir, result.StudyFile))
	if err != nil {
		t.Fatal(err)
	}
	plan.Host.Hostname = "gpu-node-7"
	if err := result.Open(dir).PutPlan(plan, file); err != nil {
		t.Fatal(err)
	}
	h.llem("run", "--resume", dir).refused(t, exitUsage, "keeps no secret", "API_KEY")
	h.set("API_KEY", "planted-planted")
	torn := filepath.Join(dir, ".summary.parquet5878555442142578599") // of a llem that was killed as it wrote
	if err := os.WriteFile(torn, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	o := h.llem("run", "--resume", dir)
	if _, err := os.Stat(torn); err == nil {
		t.Error("a file that was being written is left")
	}
	if o.code != exitDone || !strings.Contains(o.stderr, "is gone: the study is taken from its own folder") {
		t.Errorf("exit %d\n%s", o.code, o.stderr)
	}
	doubted := 0
	for _, r := range h.complete() {
		if r.WarningSeverities["study_host_changed"] == "doubt" {
			doubted++
		}
	}
	if doubted != 1 {
		t.Errorf("%d runs doubt their host, want the one that was run here", doubted)
	}
	_ = filepath.WalkDir(dir, func(path string, _ os.DirEntry, _ error) error {
		if data, err := os.ReadFile(path); err == nil && strings.Contains(string(data), "planted-planted") {
			t.Errorf("%s holds the secret", path)
		}
		return nil
	})
}
