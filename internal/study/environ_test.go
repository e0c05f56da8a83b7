package study

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheEnvironmentSetsKeys(t *testing.T) {
	t.Parallel()
	got, err := Environ([]string{
		"PATH=/bin", "LLEM_SEED=7", "LLEM_WORKLOAD_LOAD_CONCURRENCY=2", "LLEM_SWEEP={seed: [1, 2]}",
		"LLEM_LOCK_DIR=", "LLEM_POWERCAP=/p", "LLEM_PYTHON=", "LLEM_STANDIN=f", "LLEM_TEST_X=1", "LLEM_CLUSTER_QUEUE=a",
	})
	want := []Set{
		{Path: "seed", Value: "7", Source: "LLEM_SEED"},
		{Path: "workload.load.concurrency", Value: "2", Source: "LLEM_WORKLOAD_LOAD_CONCURRENCY"},
		{Path: "sweep", Value: "{seed: [1, 2]}", Source: "LLEM_SWEEP"}, // for Decode to refuse by name
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("-want +got:\n%s%v", diff, err)
	}
}

func TestVariablesThatSetNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ set, says string }{
		{"LLEM_GPUS=", "LLEM_GPUS: gpus: blank"},
		{"LLEM_ENERGY_BACKEND= ", "LLEM_ENERGY_BACKEND: energy.backend: blank"},
		{"LLEM_WORKLOAD_PROMTS=5", "did you mean LLEM_WORKLOAD_PROMPTS?"},
		{"LLEM_PROMPT_SEED=5", ""},
		{"LLEM_SEDE=5", "did you mean LLEM_SEED?"},
		{"LLEM_GPU=0", "did you mean LLEM_GPUS?"},
		{"LLEM_WORKLOAD=5", "did you mean LLEM_WORKLOAD_SOURCE?"},
	} {
		sets, err := Environ([]string{c.set})
		said := ""
		if err != nil {
			said = err.Error()
		}
		if len(sets) > 0 || c.says != "" && !strings.Contains(said, c.says) || c.says == "" && err != nil {
			t.Errorf("%s: %v, %q; want nothing set and %q said", c.set, sets, said, c.says)
		}
	}
	_, err := Environ([]string{"LLEM_GPUS=", "LLEM_SEDE=1"})
	if n := len(Problems(err)); n != 2 {
		t.Errorf("%d problems said at once, want 2: %v", n, err)
	}
}

func TestVariablesOfStudiesAreRefusedByName(t *testing.T) {
	t.Parallel()
	for _, v := range []string{"LLEM_BASE=x.yaml", "LLEM_SWEEP={seed: [1, 2]}", "LLEM_EXECUTION_CYCLES=2"} {
		sets, err := Environ([]string{v})
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(v, "=")
		if _, err := Decode("f", []byte("model: x\n"), Options{Env: sets}); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "belongs to a study") {
			t.Errorf("%s: %v", v, err)
		}
	}
}
