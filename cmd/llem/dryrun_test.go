package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// planned checks that a dry run went well and printed what is wanted.
func (o outcome) planned(t *testing.T, wants ...string) {
	t.Helper()
	o.prints(t, wants...)
	if o.code != 0 || len(o.records) > 0 || t.Failed() {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}

// prints checks what stands on stdout.
func (o outcome) prints(t *testing.T, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("it does not print %q", want)
		}
	}
}

// A dry run pulls nothing. The registry of this image refuses connections.
func TestADryRunPullsNothing(t *testing.T) {
	t.Parallel()
	const missing = "127.0.0.1:9/llem-test/nowhere:1"
	h := newHost(t)
	args := []string{"run", "--dry-run", "--model", "reference/tiny", "--image"}
	h.llem(append(args, missing)...).planned(t, "would pull "+missing, "--engine", "config_hash")
	h.llem(append(args, missing, "--engine", "reference")...).planned(t, "would pull "+missing, "--model tiny")
	h.llem(append(args, image, "--pull", "always")...).planned(t, "would pull "+image, "--model tiny", "sha256:")
	h.llem(append(args, missing, "--pull", "never")...).refused(t, exitUsage, missing, "docker pull")
	h.llem(append(args, missing, "--engine", "vlmm")...).refused(t, exitUsage, "vlmm", "reference")
}

// A dry run says which GPUs a run would have, whoever has them now, and locks none.
func TestADryRunLocksNoGPU(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60}, standin.GPU{Power: 60})
	dry := func(gpus string, wants ...string) {
		t.Helper()
		h.start("run", "--dry-run", "--wait-gpu", "--gpus", gpus, "--image", image, "--model", "reference/tiny").finish().planned(t, wants...)
	}
	dry("1", "gpus:        "+standin.UUID(1))
	dry("auto", "gpus:        "+standin.UUID(0))
	if left, _ := filepath.Glob(h.path("locks/*")); len(left) > 0 {
		t.Errorf("it left %v", left)
	}
	c := h.start(h.quick("--gpus", "1")...)
	c.reach("launch")
	dry("1", standin.UUID(1))
	if o := c.finish(); o.code != 0 {
		t.Errorf("the run beside it ended with %d\n%s", o.code, o.stderr)
	}
	h.clean(c.Process.Pid)
	if err := os.RemoveAll(h.path("out")); err != nil {
		t.Fatal(err)
	}
	for i := range 2 {
		h.gpus.SetProcesses(i, standin.Process{PID: os.Getpid()})
	}
	dry("auto", "gpus:        not known yet: ", "0 of 2 are free")
}

// A dry run shows what a container would be started with, and no secret.
func TestADryRunShowsTheContainer(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	const secret = "hf_plantedPlantedPlanted"
	h.set("HF_TOKEN", secret)
	config := h.config("model: reference/tiny\nengine: {image: " + image + ", args: {seed: 9}, env: {MODE: fast, API_KEY: " + secret + "}, container: {shm_size: 1GiB, ulimits: {nofile: 4096}}}\n")
	o := h.llem("run", "--dry-run", config)
	o.planned(t, "command:     --model tiny", "overridden:  engine.args set --seed", "env:         MODE=fast", "env:         API_KEY=", "shm size:    1GiB", "ulimit:      nofile=4096")
	if strings.Contains(o.stdout+o.stderr, secret) {
		t.Errorf("it printed a secret:\n%s%s", o.stdout, o.stderr)
	}
}

// The schedule of an open loop is known before, and so is what is wrong with a trace.
func TestADryRunTellsTheSchedule(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	trace := h.path("a.csv")
	text := "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:00:00,80,9\n2023-11-16 18:01:30,80,9\n2023-11-16 18:01:00,80,9\n"
	dry := func(load string) outcome {
		return h.llem("run", "--dry-run", "--image", image, h.config("model: reference/tiny\nworkload: {prompts: 2, load: {"+load+"}}\n"))
	}
	dry("pattern: constant, rate_per_second: 0.1").planned(t, "schedule:    2 requests, the last due after 10s")
	if o := dry("concurrency: 2"); strings.Contains(o.stdout, "schedule:") {
		t.Errorf("a closed loop has none:\n%s", o.stdout)
	}
	for _, lines := range []int{3, 4} {
		if err := os.WriteFile(trace, []byte(strings.Join(strings.SplitAfter(text, "\n")[:lines], "")), 0o644); err != nil {
			t.Fatal(err)
		}
		if o := dry("pattern: trace, max_in_flight: 4, file: a.csv"); lines == 3 {
			o.planned(t, "schedule:    2 requests, the last due after 1 min 30 s (90 seconds, its times read as dates)", "lengths:     synthetic prompts of 80 tokens, answers of at most 9, in the mean")
		} else {
			o.refused(t, exitUsage, "workload.load.file: "+trace+":4: it comes 30s before the request of line 3")
		}
	}
}

// A dry run shows what is sent of a file of prompts: the first one, by which template, how
// long they are, and what is not sent.
func TestADryRunShowsTheFirstPrompt(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	words := strings.Repeat("word ", 3000)
	lines := `{"question":"Who?\u001b[31m","context":"` + words + `","answer":"no","id":"1"}` + "\n" + `{"question":"Why?","context":"short"}` + "\n"
	if err := os.WriteFile(h.path("p.jsonl"), []byte(lines), 0o644); err != nil {
		t.Fatal(err)
	}
	dry := func(keys string) outcome {
		return h.llem("run", "--dry-run", "--image", image, h.config("model: reference/tiny\nworkload: {source: p.jsonl, prompts: 2"+keys+"}\n"))
	}
	dry("").planned(t, `template:    "{context}\n\n{question}"`, "not sent:    answer, id\n", "2 prompts of 7511 bytes, answers of at most 256 tokens", `first prompt: "word word`, ` … "`, `\n\nWho?\x1b[31m"`)
	dry(`, column: question`).planned(t, `template:    "{question}"`, "not sent:    answer, context, id\n", `first prompt: "Who?\x1b[31m"`)
	dry(`, template: "Answer {question}"`).planned(t, `template:    "Answer {question}"`, `first prompt: "Answer Who?`)
}

// A plan needs neither the image nor the GPUs that it is for.
func TestADryRunIsForAnotherHostToo(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.model()
	config := h.config("model: ./model\nparallel: {tensor: 2}\ngpus: [0, 1]\nworkload: {source: prompts.jsonl, prompts: 1}\n")
	h.llem("run", "--dry-run", "--image", "vllm:v0.27.1", config).planned(t,
		"would pull vllm/vllm-openai:v0.27.1", "engine:      vllm", "--tensor-parallel-size 2", "volume:      one of the image's own at", "gpus:        not known yet: ", "no NVIDIA driver")
}

// A path on the command line is relative to where llem runs, one in a file to the
// file.
func TestAModelIsFoundFromWhereItIsNamed(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.model()
	if err := os.Mkdir(h.path("files"), 0o755); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join("files", "e.yaml")
	if err := os.WriteFile(h.path(config), []byte("engine: {image: vllm:v0.27.1}\nworkload: {source: ../prompts.jsonl, prompts: 1}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	h.llem("run", "--dry-run", "--model", "./model", config).planned(t, "mount:       "+h.path("model")+" at /models/model")
	h.set("LLEM_MODEL", "./model")
	h.llem("run", "--dry-run", config).planned(t, "mount:       "+h.path("model")+" at /models/model")
	h.set("LLEM_MODEL", "model")
	h.llem("run", "--quick", "--gpus", "none", "--image", image, "--engine", "vllm", "-o", h.path("out"), config).refused(t, exitUsage, "write ./model")
}
