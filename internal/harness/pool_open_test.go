package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/study"
)

// A file of prompts that changes between the runs of a study is a doubt in those that
// come after.
func TestAStudyWhosePromptsChange(t *testing.T) {
	t.Parallel()
	b := newBench(t, &fake{}, "")
	path := filepath.Join(t.TempDir(), "p.jsonl")
	write := func(text string) {
		if err := os.WriteFile(path, []byte("{\"prompt\":\"one\"}\n{\"prompt\":\"two\"}\n{\"prompt\":\"three\"}\n{\"prompt\":\""+text+"\"}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("four")
	b.write(t, strings.Replace(fmt.Sprintf(grid, ""), "max_input_tokens: 8", fmt.Sprintf("source: %q", path), 1))
	if err := b.run(t, t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(b.folder(t, 3)); err != nil {
		t.Fatal(err)
	}
	write("five")
	r := b.rerun(t, 3)
	if said := told(r, "study_input_changed"); !strings.Contains(said, "point concurrency-1: the file of its prompts or lengths was ") || r.WarningSeverities["study_input_changed"] != "doubt" {
		t.Errorf("the run after the change says %q", said)
	}
}

func TestTheGPUsOfAPoint(t *testing.T) {
	t.Parallel()
	s := &Pool{lease: lease.New("s", nil)}
	defer s.lease.Release()
	if err := s.lease.Lock([]device.Device{{Index: 2, UUID: "GPU-two"}, {Index: 5, UUID: "GPU-five"}}); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		gpus study.GPUs
		size int
		want []int
	}{
		"auto": {study.GPUs{Mode: "auto"}, 1, []int{2}}, "two of auto": {study.GPUs{Mode: "auto"}, 2, []int{2, 5}},
		"by index": {study.GPUs{Mode: "list", IDs: []string{"5"}}, 1, []int{5}}, "by UUID": {study.GPUs{Mode: "list", IDs: []string{"GPU-five"}}, 1, []int{5}},
		"none": {study.GPUs{Mode: "none"}, 1, nil},
	} {
		var got []int
		for _, d := range s.devicesOf(study.Experiment{GPUs: c.gpus, Parallel: study.Parallel{Tensor: c.size}}) {
			got = append(got, d.Index)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}
