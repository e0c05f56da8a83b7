//go:build linux

package meter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/measure"
)

// span opens python's Zeus on one GPU, begins and ends; the error is of the first
// that fails. The instrument is closed when the test is over.
func span(t *testing.T, ctx context.Context, python string, log func(string)) (*Instrument, measure.Reading, error) {
	t.Helper()
	i, err := OpenZeus(ctx, python, []int{0}, log)
	if err != nil {
		return nil, measure.Reading{}, err
	}
	t.Cleanup(func() { wantClosed(t, i) })
	if err := i.Begin(ctx); err != nil {
		return i, measure.Reading{}, err
	}
	r, err := i.End(ctx)
	return i, r, err
}

func quiet(string) {}

const opened = `ok '{"versions": {"python": "3.11", "zeus": "0.16"}}'; `

// hanging are children that hang at each question. Each has started another
// process, which holds its pipes.
func hanging(then string) map[string]string {
	const grandchild = "sleep 600 & "
	return map[string]string{
		"at its opening": grandchild + then,
		"at the begin":   grandchild + opened + then,
		"at the end":     grandchild + opened + "ok '{}'; " + then,
	}
}

func TestAChildThatHangsIsKilled(t *testing.T) {
	shorten(t, &endTimeout, 200*time.Millisecond)
	shorten(t, &readTimeout, 300*time.Millisecond)
	for name, text := range hanging("read -r line; echo I am stuck; sleep 600") {
		t.Run(name, func(t *testing.T) {
			timeout := readTimeout
			if name == "at its opening" {
				timeout = 2 * time.Second // in which a shell starts on a busy host
				shorten(t, &openTimeout, timeout)
			}
			path := shell(t, text)
			i, _, err := span(t, t.Context(), path, quiet)
			wantError(t, err, fmt.Sprintf("zeus: its Python child did not answer in %s and was killed", timeout), "I am stuck")
			if i != nil {
				_, err = i.End(t.Context())
				wantError(t, err, "zeus: its Python child ended (signal: killed)")
				wantClosed(t, i)
			}
			wantGone(t, group(t, path))
		})
	}
}

func TestAChildIsKilledWhenTheRunIsLeft(t *testing.T) {
	shorten(t, &endTimeout, 200*time.Millisecond)
	for name, text := range hanging(`read -r line; touch "$0.asked"; sleep 600`) {
		t.Run(name, func(t *testing.T) {
			path := shell(t, text)
			ctx, cancel := context.WithCancel(t.Context())
			var left sync.WaitGroup
			left.Go(func() {
				poll(func() bool { _, err := os.Stat(path + ".asked"); return err == nil })
				cancel()
			})
			i, _, err := span(t, ctx, path, quiet)
			left.Wait()
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v, want that it was cancelled", err)
			}
			if i != nil {
				wantClosed(t, i)
			}
			wantGone(t, group(t, path))
		})
	}
}

func TestAChildThatDies(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"at once, silently":     {"exit 0", "(exit status 0)"},
		"with its words":        {"echo out of memory >&2; exit 3", "(exit status 3); it last said: out of memory"},
		"in the midst of words": {"printf 'half a line' >&2; exit 3", "(exit status 3); it last said: half a line"},
		"of many words":         {"for i in 1 2 3 4 5 6 7; do echo $i; done; exit 1", "(exit status 1); it last said: 3 / 4 / 5 / 6 / 7"},
		"by a signal":           {"echo hello; kill -SEGV $$", "(signal: segmentation fault); it last said: hello"},
		"asked for an opening":  {"read -r line; echo no driver >&2; exit 4", "(exit status 4); it last said: no driver"},
		"after its opening":     {opened + "read -r line; echo gone >&2; kill -KILL $$", "(signal: killed); it last said: gone"},
		"before the begin":      {opened + "exec >/dev/null 2>&1; exit 5", "(exit status 5)"},
		"after the begin":       {"echo old news; " + opened + "ok '{}'; echo full >&2; exit 6", "(exit status 6); it last said: full"},
		"while others live":     {opened + "sleep 600 & echo bye; exit 7", "(exit status 7); it last said: bye"},
	} {
		t.Run(name, func(t *testing.T) {
			path := shell(t, c.text)
			var said spoken
			i, _, err := span(t, t.Context(), path, said.say)
			wantError(t, err, "zeus: its Python child ended "+c.want)
			if i != nil {
				wantClosed(t, i)
			}
			wantGone(t, group(t, path))
		})
	}
}

// What it started may have left its group, and still hold its pipe.
func TestAChildWhosePipeIsHeldByAStranger(t *testing.T) {
	_, err := exec.LookPath("setsid")
	need(t, err == nil, "there is no setsid")
	shorten(t, &endTimeout, 200*time.Millisecond)
	path := shell(t, `setsid sh -c 'echo $$ >"$0.stranger"; exec sleep 600' "$0" &
while [ ! -s "$0.stranger" ]; do sleep 0.01; done
`+opened+"exit 7")
	i, _, err := span(t, t.Context(), path, quiet)
	text, _ := os.ReadFile(path + ".stranger")
	stranger, no := strconv.Atoi(strings.TrimSpace(string(text)))
	if no != nil {
		t.Fatal(no)
	}
	defer syscall.Kill(stranger, syscall.SIGKILL)
	wantError(t, err, "zeus: its Python child ended (exit status 7)")
	wantClosed(t, i)
}

func TestAChildThatDoesNotLeaveByItself(t *testing.T) {
	shorten(t, &endTimeout, 200*time.Millisecond)
	path := shell(t, opened+"trap '' TERM INT; sleep 600")
	i, err := OpenZeus(t.Context(), path, []int{0}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	wantClosed(t, i)
	wantGone(t, group(t, path))
}

// One that hangs in a driver's call outlives a kill. llem does not wait for it.
func TestAChildThatCannotBeKilled(t *testing.T) {
	shorten(t, &endTimeout, 50*time.Millisecond)
	c := &pythonChild{name: "zeus", cmd: exec.Command("sleep", "600"), done: make(chan struct{})} // which nobody closes
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	wantError(t, c.close(), fmt.Sprintf("zeus: its Python child, process %d, was killed and does not end", c.cmd.Process.Pid))
	wantError(t, c.ask(t.Context(), time.Minute, question{Op: "begin"}, &struct{}{}), "does not end")
	_ = c.cmd.Wait()
}

func TestAChildIsClosedMoreThanOnce(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"that waits":    opened + "read -r line",
		"that has died": opened + "exit 1",
		"that answers":  opened + "ok '{}'; ok '{}'; read -r line",
	} {
		t.Run(name, func(t *testing.T) {
			path := shell(t, text)
			i, err := OpenZeus(t.Context(), path, []int{0}, quiet)
			if err != nil {
				t.Fatal(err)
			}
			var closing sync.WaitGroup
			for range 2 {
				closing.Go(func() { wantClosed(t, i) })
			}
			closing.Wait()
			wantClosed(t, i)
			wantError(t, i.Begin(t.Context()), "zeus: its Python child ended")
			_, err = i.End(t.Context())
			wantError(t, err, "zeus: its Python child ended")
			wantGone(t, group(t, path))
		})
	}
}

func TestAnInterpreterThatIsNotThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("#!/bin/sh\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{
		"no file":     filepath.Join(dir, "python"),
		"not in PATH": "no-such-python",
		"a folder":    dir,
		"no program":  plain,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OpenCodeCarbon(t.Context(), path, "USA", nil, quiet)
			wantError(t, err, "start Python for codecarbon", path, "energy.python or LLEM_PYTHON")
		})
	}
}

// installed is the Python of scripts/instruments, with the real packages.
func installed(t *testing.T) string {
	t.Helper()
	path := filepath.Join(os.Getenv("LLEM_TEST_INSTRUMENTS"), "python/bin/python")
	_, err := os.Stat(path)
	need(t, err == nil && filepath.IsAbs(path), "CodeCarbon is not installed: LLEM_TEST_INSTRUMENTS=$(scripts/instruments) does it")
	return path
}

// CodeCarbon needs no network: its figures come from what it has with it.
func TestCodeCarbonWithoutANetwork(t *testing.T) {
	t.Parallel()
	python := installed(t)
	need(t, os.Geteuid() == 0 && exec.Command("unshare", "-n", "true").Run() == nil, "making an empty network takes root and unshare")
	path := program(t, fmt.Sprintf(`exec unshare -n '%s' "$@"`, python))
	out, err := exec.Command(path, "-c", "import socket; socket.create_connection(('1.1.1.1', 53), 5)").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "unreachable") {
		t.Fatalf("there is a network: %v\n%s", err, out)
	}
	var said spoken
	defer func() { _, _ = io.WriteString(t.Output(), said.String()) }()
	i, err := OpenCodeCarbon(t.Context(), path, "FRA", nil, said.say)
	if err != nil {
		t.Fatal(err)
	}
	defer wantClosed(t, i)
	if err := i.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	r, err := i.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if r.CPU <= 0 || r.RAM <= 0 || r.CPUMethod == "" || r.GPU != nil {
		t.Errorf("energy %+v", r)
	}
	// France's mix was 56 g/kWh in 2023.
	if c := r.Carbon; c == nil || c.KgCO2eq <= 0 || c.Country != "FRA" || c.IntensityGPerKWh < 30 || c.IntensityGPerKWh > 80 || c.PUE != 1 {
		t.Errorf("carbon %+v", c)
	}
	if v := i.Versions(); v["codecarbon"] == "" || v["python"] == "" {
		t.Errorf("versions %v", v)
	}
}
