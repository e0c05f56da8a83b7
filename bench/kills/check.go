package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// What became of the results of a case.
const (
	nothing  = "no result"  // there was none, or it was removed
	whole    = "whole"      // it verified as it was left
	finished = "finished"   // by clean or resume
	late     = "not killed" // the run had ended before
)

// carryOut runs one case and checks what it leaves.
func (h *host) carryOut(ctx context.Context, c test) *result {
	r := &result{outcome: nothing}
	if left := containers(h.path("locks")); len(left) > 0 {
		r.fault("containers appeared after the clean of the case before: %s", strings.Join(left, ", "))
		return r
	}
	var code int
	r.phase, code = h.kill(ctx, c, r, "run", "--quick", "-o", h.path("out"), h.config(c.kind))
	if ctx.Err() != nil {
		return r
	}
	h.checkEnd(c, r, code)
	checkCode(h.path("out"), c, r, code)
	before := h.checkResults(r, "as it was left")
	if c.kind.isStudy() {
		h.resume(ctx, c, r)
	}
	h.checkClean(c, r)
	after := h.checkResults(r, "after clean")
	switch {
	case r.phase == "":
		r.outcome = late
	case after.whole > 0 && after.whole == before.whole:
		r.outcome = whole
	case after.whole > 0:
		r.outcome = finished
	}
	if after.unfinished > 0 {
		r.fault("%d results are unfinished after clean", after.unfinished)
	}
	if len(r.faults) > 0 {
		return r
	}
	for _, d := range list(h.path("out")) {
		if err := os.RemoveAll(d); err != nil {
			r.fault("%v", err)
		}
	}
	return r
}

// checkEnd holds a llem that had the time to clean up to what it promises.
func (h *host) checkEnd(c test, r *result, code int) {
	if r.phase == "" {
		if code != 0 {
			r.fault("it was not killed, and its exit code is %d", code)
		}
		return
	}
	if !c.gentle() {
		if c.steps[len(c.steps)-1].signal != 9 { // told three times to end
			h.checkGPU(r, "after three signals")
		}
		return
	}
	if code != 0 && code != 130 && r.phase != "start" { // a signal that comes before it is caught ends it
		r.fault("exit code %d after %s", code, c.signals())
	}
	if r.phase == "start" && code == -1 {
		return
	}
	h.checkGPU(r, "after "+c.signals())
	if left := containers(h.path("locks")); len(left) > 0 {
		r.fault("containers left after %s: %s", c.signals(), strings.Join(left, ", "))
	}
	h.checkFiles(r, "after "+c.signals())
}

// checkCode holds the exit code of a run against its record: 0 is completed and 130
// interrupted.
func checkCode(out string, c test, r *result, code int) {
	records, _ := filepath.Glob(filepath.Join(out, "*", "result.json")) // the pattern is good
	if c.kind.isStudy() || len(records) != 1 || !c.gentle() {
		return
	}
	rec, err := read(records[0])
	if err != nil {
		r.fault("%v", err)
	}
	if want := map[int]string{0: "completed", 130: "interrupted"}[code]; rec.Status != want {
		r.fault("exit code %d beside status %s", code, rec.Status)
	}
}

// record is the part of a result.json that is checked.
type record struct {
	Status string
	Study  struct{ Run int }
}

func read(path string) (r record, err error) {
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	return r, err
}

// resume goes on with a study until it is complete, killing it again on the way.
func (h *host) resume(ctx context.Context, c test, r *result) {
	for _, a := range c.again {
		dir := studyIn(h.path("out"))
		if dir == "" {
			return
		}
		if c.clean {
			h.clean(c, r)
		}
		h.kill(ctx, a, r, "run", "--resume", dir)
		h.checkResults(r, "as it was left again")
	}
	if c.clean {
		h.clean(c, r)
	}
	dir := studyIn(h.path("out"))
	if dir == "" {
		return
	}
	if code, _ := h.call(r, "run", "--resume", dir); code != 0 {
		r.fault("resumed, the study's exit code is %d", code)
	}
	checkStudy(r, dir)
}

// studyIn is the folder of the study that can be resumed; empty where there are none.
func studyIn(out string) string {
	plans, _ := filepath.Glob(filepath.Join(out, "*", "plan.json")) // the pattern is good
	if len(plans) == 0 {
		return ""
	}
	return filepath.Dir(plans[0])
}

// checkStudy wants each run of a study's plan once, whole.
func checkStudy(r *result, dir string) {
	records, _ := filepath.Glob(filepath.Join(dir, "*", "result.json")) // the pattern is good
	var runs []int
	for _, path := range records {
		rec, err := read(path)
		if err != nil || rec.Status != "completed" {
			r.fault("%s: status %q, %v", path, rec.Status, err)
		}
		runs = append(runs, rec.Study.Run)
	}
	slices.Sort(runs)
	if fmt.Sprint(runs) != "[1 2 3 4]" {
		r.fault("%s has the runs %v, want each of 4 once", dir, runs)
	}
}

// clean runs llem clean, after one that is killed where the case says so.
func (h *host) clean(c test, r *result) {
	if c.cut > 0 {
		if err := h.cut(time.Duration(c.cut * float64(time.Second))); err != nil {
			r.fault("%v", err)
		}
	}
	if code, _ := h.call(r, "clean"); code != 0 {
		r.fault("clean: exit code %d", code)
	}
}

// checkClean cleans and wants nothing left.
func (h *host) checkClean(c test, r *result) {
	h.clean(c, r)
	h.checkGPU(r, "after clean")
	if left := containers(h.path("locks")); len(left) > 0 {
		r.fault("containers left after clean: %s", strings.Join(left, ", "))
	}
	h.checkFiles(r, "after clean")
}

// checkGPU wants the GPU as it was, and no note of what is to be put back.
func (h *host) checkGPU(r *result, when string) {
	if limit, mhz := h.gpus.Settings(0); limit != powerW || mhz != 0 {
		r.fault("%s the GPU has %g W and %d MHz", when, limit, mhz)
	}
	for _, path := range list(h.path("locks")) {
		if strings.HasPrefix(filepath.Base(path), "settings-") {
			r.fault("%s there is %s", when, path)
		}
	}
}

// checkFiles wants no run's lock, no temporary file and no empty folder.
func (h *host) checkFiles(r *result, when string) {
	for _, path := range list(h.path("locks")) {
		if strings.HasPrefix(filepath.Base(path), "run-") {
			r.fault("%s there is %s", when, path)
		}
	}
	err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.HasPrefix(d.Name(), ".") {
			r.fault("%s there is %s", when, path)
		}
		if d.IsDir() && strings.HasPrefix(path, h.path("out")+"/") {
			if list, err := os.ReadDir(path); err == nil && len(list) == 0 {
				r.fault("%s the folder %s is empty", when, path)
			}
		}
		return nil
	})
	if err != nil {
		r.fault("%v", err)
	}
}

// tally counts results.
type tally struct{ whole, unfinished int }

// checkResults wants every result to verify, or llem to say that it is not whole.
func (h *host) checkResults(r *result, when string) (t tally) {
	for _, dir := range results(h.path("out")) {
		if code, _ := h.call(r, "verify", dir); code == 0 {
			t.whole++
			continue
		}
		t.unfinished++
		code, said := h.call(r, "show", dir)
		if _, err := os.Stat(filepath.Join(dir, "result.json")); err == nil && code == 0 && !strings.Contains(said, "unfinished") {
			r.fault("%s %s does not verify, and show does not say that it is unfinished", when, dir)
		} else if err != nil && code == 0 {
			r.fault("%s %s has no record, and show says nothing of that", when, dir)
		}
	}
	return t
}

// results are the folders of runs, those of studies among them, that are not set
// aside and hold something.
func results(out string) (dirs []string) {
	for _, dir := range list(out) {
		if _, err := os.Stat(filepath.Join(dir, "plan.json")); err != nil {
			dirs = append(dirs, dir)
			continue
		}
		for _, e := range list(dir) {
			if info, err := os.Stat(e); err == nil && info.IsDir() && filepath.Base(e) != "superseded" {
				dirs = append(dirs, e)
			}
		}
	}
	return slices.DeleteFunc(dirs, func(d string) bool { return len(list(d)) == 0 })
}

func list(dir string) (paths []string) {
	entries, _ := os.ReadDir(dir) // what is not there holds nothing
	for _, e := range entries {
		paths = append(paths, filepath.Join(dir, e.Name()))
	}
	return paths
}
