package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// runLLEM runs the real binary and returns what it printed.
func runLLEM(ctx context.Context, llem, dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, llem, args...)
	var out, said bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("llem %s: %w\n%s", args[0], err, tail(said.String()))
	}
	return out.Bytes(), nil
}

func tail(s string) string { return s[max(0, len(s)-2000):] }

// hostEnv is the environment of a host of one window's own.
func hostEnv(dir, file, library string) (env []string) {
	for _, v := range os.Environ() {
		name, _, _ := strings.Cut(v, "=")
		if !strings.HasPrefix(name, "LLEM_") && !strings.HasPrefix(name, "CUDA_") && !strings.HasPrefix(name, "SLURM_") {
			env = append(env, v)
		}
	}
	set := func(k, v string) { env = append(env, k+"="+v) }
	set(standin.FileEnv, file)
	set("LD_LIBRARY_PATH", library)
	set("LLEM_LOCK_DIR", dir)
	set("LLEM_POWERCAP", filepath.Join(dir, "no-powercap"))
	set("LLEM_PYTHON", filepath.Join(dir, "no-python"))
	set("ZEUSD_SOCK_PATH", filepath.Join(dir, "no-zeusd"))
	set("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	set("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	return env
}

// realMinusMonotonic is how far CLOCK_REALTIME is ahead: of a few looks the
// quickest, since a process may be kept waiting between them.
func realMinusMonotonic() (ahead time.Duration) {
	quickest := time.Hour
	for range 20 {
		before := standin.Now()
		var real unix.Timespec
		if unix.ClockGettime(unix.CLOCK_REALTIME, &real) != nil {
			continue
		}
		if after := standin.Now(); after-before < quickest {
			quickest, ahead = after-before, time.Duration(real.Nano())-before-(after-before)/2
		}
	}
	return ahead
}

func loadAverage() (one float64) {
	text, err := os.ReadFile("/proc/loadavg")
	if err == nil {
		_, _ = fmt.Sscan(string(text), &one) // 0: not known
	}
	return one
}

// hash spreads the numbers of a condition's windows: FNV-1a.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for _, b := range []byte(s) {
		h = (h ^ uint64(b)) * 1099511628211
	}
	return h
}

func writeJSON(path string, v any) error {
	data, err := json.Marshal(v)
	return errors.Join(err, os.WriteFile(path, data, 0o600))
}

func readJSON(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}
