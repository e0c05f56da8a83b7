package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// retag has a name stand for an image of its own, made of the test's.
func retag(t *testing.T, name, label string) {
	t.Helper()
	build := exec.Command("docker", "build", "-q", "-t", name, "-")
	build.Stdin = strings.NewReader("FROM " + image + "\nLABEL again=" + label + "\n")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Cleanup(func() {
		_ = exec.Command("docker", "rmi", "--force", name).Run() // gone with the first of two
		_ = exec.Command("docker", "image", "prune", "--force", "--filter", "label=again="+label).Run()
	})
}

// edit writes a result's record with another value, as another host may have.
func edit(t *testing.T, dir string, change func(r *result.Record)) {
	t.Helper()
	path := filepath.Join(dir, result.RecordFile)
	r, _, err := result.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	change(r)
	if err := result.Open(dir).PutRecord(r); err != nil {
		t.Fatal(err)
	}
}

// A result is enough to run its experiment again: the same image, though its name
// stands for another by now, the same command, the same work.
func TestFromRunsTheSameAgain(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	const name = "llem-test/again"
	retag(t, name, "first")
	config := h.config("model: reference/tiny\nengine: {image: " + name + ", args: {x-pace: 1}, env: {ADMIN_TOKEN: t0ken-1, A: b}}\nworkload: {prompts: 3, max_input_tokens: 7}\nseed: 5\n")
	first := h.llem("run", "--quick", "-o", h.path("out"), config)
	was := first.record(t)
	retag(t, name, "second")
	if err := os.Remove(config); err != nil { // the result alone is needed
		t.Fatal(err)
	}

	h.llem("run", "--from", first.dirs[0]).says(t, exitUsage, "a result keeps no secret", "engine.env.ADMIN_TOKEN by the variable ADMIN_TOKEN")
	h.set("ADMIN_TOKEN", "t0ken-1")
	o := h.llem("run", "--from", first.dirs[0])
	if o.code != exitDone || !strings.Contains(o.stderr, "is as it was then") || !strings.Contains(o.stderr, "engine.env.ADMIN_TOKEN: of the environment's ADMIN_TOKEN") {
		t.Fatalf("exit %d\n%s", o.code, o.stderr)
	}
	i := slices.IndexFunc(o.records, func(r *result.Record) bool { return r.ExperimentID != was.ExperimentID })
	now := o.records[i]
	if now.ConfigHash != was.ConfigHash || now.WorkloadHash != was.WorkloadHash || now.Requests.PromptChecksum != was.Requests.PromptChecksum {
		t.Errorf("config_hash %s and %s, workload_hash %s and %s, prompts %s and %s", was.ConfigHash, now.ConfigHash, was.WorkloadHash, now.WorkloadHash, was.Requests.PromptChecksum, now.Requests.PromptChecksum)
	}
	if now.Engine.ImageID != was.Engine.ImageID || now.Engine.Image != was.Engine.Image || now.Engine.ToldBy != was.Engine.ToldBy || !slices.Equal(now.Engine.Command, was.Engine.Command) {
		t.Errorf("engine then %+v, now %+v", was.Engine, now.Engine)
	}
	if !wasQuick(now) {
		t.Error("a quick run's second is none")
	}
}

// What differs is said, on stderr, and stops nothing.
func TestFromSaysWhatDiffers(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	o := h.llem(h.quick("-n", "2")...)
	dir := o.dirs[0]
	edit(t, dir, func(r *result.Record) {
		r.LlemVersion, r.Environment.Host.CPU, r.Environment.Docker.Version = "0.0.1", "Zuse Z3", "1.13"
		r.Environment.GPUs[0].Driver, r.Environment.GPUs[0].Name, *r.Environment.GPUs[0].PowerLimitW = "300.1", "Voodoo2", 10
	})
	o = h.llem("run", "--from", dir, "--num-prompts", "3")
	o.says(t, exitDone, "workload.prompts: of --num-prompts, in place of the result's",
		"differs: llem: then 0.0.1, now", "differs: CPU: then Zuse Z3, now", "differs: Docker: then 1.13, now",
		"differs: GPUs: then Voodoo2, now", "driver: then 300.1, now", "power limit: then 10 W, now", "differs: config_hash", "differs: workload_hash")
	if strings.Contains(o.stderr, "differs: image id") || strings.Contains(o.stderr, "differs: kernel") {
		t.Errorf("what is the same differs:\n%s", o.stderr)
	}
	if strings.Contains(o.stdout, "differs") {
		t.Error("it is said on stdout")
	}
}

func TestFromThatCannotBe(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := h.llem(h.quick("-n", "2")...).dirs[0]
	edit(t, dir, func(r *result.Record) { r.Engine.ImageID = "sha256:" + strings.Repeat("0", 64) })
	h.llem("run", "--from", dir).says(t, exitUsage, image, "docker load", "--image")
	h.llem("run", "--from", dir, "--image", image).says(t, exitDone, "engine.image: of --image", "differs: image id: then 000000000000, now")
	file := filepath.Join(dir, result.ConfigFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append(text, "dtype: float32\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	h.llem("run", "--from", dir).says(t, exitUsage, "the key stands twice")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	h.llem("run", "--from", dir).says(t, exitUsage, "has no config.yaml")
}
