package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
	"github.com/llenergymeasure/llem/internal/result"
)

// After kill -9 llem clean removes the run's lock and the folder of a result that
// has no record, whatever else is in it. A living run is spared.
func TestCleanForgetsKilledRuns(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60}, standin.GPU{Power: 60})
	glob := func(pattern string) []string {
		found, err := filepath.Glob(h.path(pattern))
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	for _, phase := range []string{"preflight", "record"} {
		c := h.start(h.quick("--gpus", "0", "-n", "2")...)
		c.reach(phase)
		until(t, "its folder, and a lock that tells of it", func() bool {
			for _, lock := range glob("locks/run-*") {
				if text, err := os.ReadFile(lock); err == nil && strings.Contains(string(text), h.path("out")) {
					return len(glob("out/*")) > 0
				}
			}
			return false
		})
		if phase == "record" {
			until(t, "a file in it", func() bool { return len(glob("out/*/*")) > 0 })
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // killed
		folders := glob("out/*")
		living := h.start(h.long("--gpus", "1")...)
		living.reach("launch")
		if o := h.start("clean", "--dry-run").finish(); o.code != 0 || !strings.Contains(o.stdout, "would forget run") || len(glob("locks/run-*")) != 2 {
			t.Errorf("killed in %s, dry run: exit %d\n%s%s", phase, o.code, o.stdout, o.stderr)
		}
		o := h.start("clean").finish()
		if left := glob("locks/run-*"); o.code != 0 || strings.Count(o.stdout, "forgot run") != 1 || len(left) != 1 {
			t.Errorf("killed in %s: exit %d, %v left\n%s%s", phase, o.code, left, o.stdout, o.stderr)
		}
		if ids := containers(t, c.Process.Pid); len(ids) > 0 {
			t.Errorf("killed in %s: containers %v left", phase, ids)
		}
		_, _, whole := result.Read(folders[0])
		if _, err := os.Stat(folders[0]); (err == nil) != (whole == nil) {
			t.Errorf("killed in %s, with a record: %v; its folder: %v", phase, whole == nil, err)
		}
		if err := living.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		living.finish().says(t, exitInterrupted, "interrupted")
		h.clean(living.Process.Pid)
		for _, dir := range glob("out/*") {
			if err := os.RemoveAll(dir); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// What engines compiled stays unless its removal is asked for, and in any case
// where a container uses it. The daemon is the test's, so that no cache of this
// host's is lost.
func TestCleanRemovesCachesWhenAsked(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	d := h.standIn(map[string]string{
		"GET /containers/json":                               `[]`,
		`GET /containers/json?{"volume":{"llem-busy":true}}`: `[{"Id":"c1","Names":["/llem-run"]}]`,
		"GET /volumes":                                       `{"Volumes":[{"Name":"llem-idle","Labels":{"io.llem.cache":"vllm"}},{"Name":"llem-busy","Labels":{"io.llem.cache":"sglang"}}]}`,
		"GET /system/df":                                     `{"Volumes":[{"Name":"llem-idle","UsageData":{"Size":1234567890,"RefCount":0}}]}`,
		"DELETE /volumes/llem-idle":                          "",
		"DELETE /volumes/llem-busy":                          "",
	})
	if o := h.llem("clean"); o.code != exitDone || strings.Contains(o.stdout, "cache") {
		t.Errorf("clean: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	o := h.llem("clean", "--caches", "--dry-run")
	if !strings.Contains(o.stdout, "would remove cache llem-idle (vllm, 1.2 GB)") || d.did("DELETE /volumes/llem-idle") {
		t.Errorf("dry run: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	o = h.llem("clean", "--caches")
	if o.code != exitFailed || !strings.Contains(o.stdout, "removed cache llem-idle (vllm, 1.2 GB)") || !strings.Contains(o.stderr, "remove cache llem-busy: container llem-run uses it") {
		t.Errorf("clean --caches: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if !d.did("DELETE /volumes/llem-idle") || d.did("DELETE /volumes/llem-busy") {
		t.Errorf("the daemon was asked %q", d.asked)
	}
}

func TestSizesArePrintedInThreeDigits(t *testing.T) {
	t.Parallel()
	for bytes, want := range map[int64]string{-1: "size unknown", 0: "0 B", 999: "999 B", 1000: "1.0 kB", 99_960: "100 kB", 999_600: "1.0 MB", 22_123_000_000: "22.1 GB", 5_000_000_000_000_000: "5000 TB"} {
		if got := sizeOf(bytes); got != want {
			t.Errorf("%d bytes are %q, want %q", bytes, got, want)
		}
	}
}

// late is a daemon that lists a container at some looks only, and removes it each
// time that it is told.
type late struct {
	listed  []bool // by look; after the last one: no
	ghost   bool   // what is listed cannot be found
	looks   int
	removed int
}

func (d *late) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Api-Version", "1.41")
	switch {
	case r.Method == http.MethodDelete:
		d.removed++
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "/containers/json"):
		list := "[]"
		if d.looks < len(d.listed) && d.listed[d.looks] {
			list = `[{"Id":"c1","Names":["/llem-abc"],"State":"created","Labels":{"io.llem.run":"abc","io.llem.lock":"LOCK"}}]`
		}
		d.looks++
		io.WriteString(w, strings.Replace(list, "LOCK", r.Host, 1)) //nolint:errcheck // a test's answer
	case strings.HasSuffix(r.URL.Path, "/_ping"):
	case strings.HasSuffix(r.URL.Path, "/containers/c1/json") && !d.ghost:
		io.WriteString(w, `{"Id":"c1"}`) //nolint:errcheck // a test's answer
	default:
		http.Error(w, `{"message":"no such thing"}`, http.StatusNotFound)
	}
}

// What the daemon still makes as clean looks is found, and so is what comes back.
func TestCleanLooksAgain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		creating time.Duration // since the daemon was asked to make it; 0: it was not
		listed   []bool
		removed  int
		says     string
	}{
		"there":                              {0, []bool{true}, 1, "removed container llem-abc"},
		"not there":                          {0, nil, 0, "no container is left over"},
		"made as clean looks":                {time.Second, []bool{false, false, true}, 1, "removed container llem-abc"},
		"never made":                         {time.Second, nil, 0, "llem-abc was asked for as its run was killed"},
		"asked for long ago, and never made": {time.Hour, nil, 0, "no container is left over"},
		"comes back":                         {0, []bool{true, true, true}, 3, "removed container llem-abc"},
		"made, and comes back":               {time.Second, []bool{false, true, true}, 2, "removed container llem-abc"},
		"ghost":                              {0, slices.Repeat([]bool{true}, 1000), 0, "no container is left over"},
		"ghost, asked for now":               {time.Second, slices.Repeat([]bool{true}, 1000), 0, "llem-abc was asked for as its run was killed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t)
			lock := h.path("locks/run-abc.lock")
			text := "1 2026-01-01T00:00:00Z abc\n/nowhere\n"
			if c.creating > 0 {
				text += "creating llem-abc " + time.Now().Add(-c.creating).UTC().Format(time.RFC3339) + "\n"
			}
			if err := os.WriteFile(lock, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
			d := &late{listed: c.listed, ghost: strings.HasPrefix(name, "ghost")}
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				r.Host = lock // the label names it
				d.ServeHTTP(w, r)
			}))
			t.Cleanup(s.Close)
			h.set("DOCKER_HOST", "tcp://"+s.Listener.Addr().String())
			o := h.start("clean").finish()
			if o.code != exitDone || !strings.Contains(o.stdout, c.says) || d.removed != c.removed {
				t.Errorf("exit %d, removed %d times, want %d\n%s%s", o.code, d.removed, c.removed, o.stdout, o.stderr)
			}
			if strings.Count(o.stdout, "removed container") > 1 {
				t.Errorf("it says so more than once:\n%s", o.stdout)
			}
			if _, err := os.Stat(lock); err == nil {
				t.Error("the lock is left")
			}
		})
	}
}
