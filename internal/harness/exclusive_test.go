package harness

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/measure"
)

func warned(x *run) (out []string) {
	for _, w := range x.warnings {
		out = append(out, w.Code)
	}
	return out
}

// Whose a process is, and what cannot be told of it.
func TestExclusivityIsProvedOrDoubted(t *testing.T) {
	t.Parallel()
	vain := errors.New("no list")
	known := measure.Process{PID: 1, Name: "before"}
	for _, c := range []struct {
		name string
		list []measure.Process
		err  error
		own  func(pid int) (bool, error)
		want []string
	}{
		{"nobody", nil, nil, descends, nil},
		{"its own", []measure.Process{{PID: os.Getpid()}}, nil, descends, nil},
		{"told of before", []measure.Process{known}, nil, descends, nil},
		{"a stranger", []measure.Process{{PID: os.Getppid()}}, nil, descends, []string{"gpu_not_exclusive"}},
		{"one that is hidden", []measure.Process{{PID: 1 << 30}}, nil, descends, []string{"exclusivity_unknown"}},
		{"no list", nil, vain, descends, []string{"exclusivity_unknown"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			looked := make(chan struct{}, 8)
			x := &run{Runner: &Runner{}, foreign: []measure.Process{known}, watcher: asked{lister{list: c.list, err: c.err}, looked}}
			stop := x.strangers(t.Context(), c.own)
			<-looked
			<-looked // the first list was judged
			stop()
			if got := warned(x); !slices.Equal(got, c.want) {
				t.Errorf("warnings %v, want %v", x.warnings, c.want)
			}
		})
	}
}

// asked says each time that it was asked.
type asked struct {
	lister
	looked chan struct{}
}

func (t asked) Processes(ctx context.Context) ([]measure.Process, error) {
	t.looked <- struct{}{}
	return t.lister.Processes(ctx)
}

func TestChildrenOfChildrenDescend(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", "sleep 60 & echo $!; wait")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }() // killed
	defer func() { _ = cmd.Process.Kill() }()
	line := make([]byte, 16)
	n, err := out.Read(line)
	if err != nil {
		t.Fatal(err)
	}
	pid := 0
	for _, c := range strings.TrimSpace(string(line[:n])) {
		pid = pid*10 + int(c-'0')
	}
	defer func() {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
		}
	}()
	for p, want := range map[int]bool{pid: true, cmd.Process.Pid: true, os.Getppid(): false, 1: false} {
		if got, err := descends(p); err != nil || got != want {
			t.Errorf("process %d: %v, %v, want %v", p, got, err, want)
		}
	}
}

// A process that came with the baseline is told of by its name, once.
func TestProcessesInTheBaselineAreNotExclusive(t *testing.T) {
	t.Parallel()
	before, came := measure.Process{PID: 1, Name: "before"}, measure.Process{PID: 2, Name: "came"}
	for _, c := range []struct {
		name string
		list []measure.Process
		want string
	}{
		{"nobody", nil, ""},
		{"who was told of", []measure.Process{before}, ""},
		{"who came", []measure.Process{before, came}, "gpu_not_exclusive: came (pid 2) on the GPU while the baseline"},
	} {
		x := &run{foreign: []measure.Process{before}}
		x.newcomers(c.list)
		if got := len(x.warnings); (got == 1) != (c.want != "") || got == 1 && !strings.HasPrefix(x.warnings[0].String(), c.want) {
			t.Errorf("%s: warnings %v, want %q", c.name, x.warnings, c.want)
		}
	}
}
