package lease

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/device"
)

// Whose a process is, and where that is unknown.
func TestExclusivityIsProvedOrDoubted(t *testing.T) {
	t.Parallel()
	vain := errors.New("no list")
	known := device.Process{PID: 1, Name: "before"}
	for _, c := range []struct {
		name string
		list []device.Process
		err  error
		own  func(pid int) (bool, error)
		want []string
	}{
		{"nobody", nil, nil, Descends, nil},
		{"its own", []device.Process{{PID: os.Getpid()}}, nil, Descends, nil},
		{"known before", []device.Process{known}, nil, Descends, nil},
		{"a stranger", []device.Process{{PID: os.Getppid()}}, nil, Descends, []string{"gpu_not_exclusive"}},
		{"one that is hidden", []device.Process{{PID: 1 << 30}}, nil, Descends, []string{"exclusivity_unknown"}},
		{"no list", nil, vain, Descends, []string{"exclusivity_unknown"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			looked := make(chan struct{}, 8)
			stop := Strangers(t.Context(), asked{lister{list: c.list, err: c.err}, looked}, []device.Process{known}, c.own)
			<-looked
			<-looked // the first list was judged
			found, warnings := stop()
			var got []string
			for _, w := range warnings {
				got = append(got, w.Code)
			}
			if !slices.Equal(got, c.want) || (len(found) > 0) != slices.Contains(c.want, "gpu_not_exclusive") {
				t.Errorf("found %v, warnings %v, want %v", found, warnings, c.want)
			}
		})
	}
}

// asked says each time that it was asked.
type asked struct {
	lister
	looked chan struct{}
}

func (t asked) Processes(ctx context.Context) ([]device.Process, error) {
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
		if got, err := Descends(p); err != nil || got != want {
			t.Errorf("process %d: %v, %v, want %v", p, got, err, want)
		}
	}
}
