package docker

import (
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/docker/docker/pkg/stdcopy"

	"github.com/llenergymeasure/llem/internal/launch"
)

// A container that is tried with GPUs is counted on, refused, or without a way to
// tell, and is gone in each case.
func TestTryingGPUs(t *testing.T) {
	for name, c := range map[string]struct {
		start http.HandlerFunc
		code  string
		says  string // of nvidia-smi
		seen  int
		is    error
		text  string
	}{
		"all seen":        {say(204, ``), "0", "GPU 0: NVIDIA A100 (UUID: GPU-1)\n" + strings.Repeat("  MIG 1g.5gb Device 0: (UUID: MIG-1)\n", 30) + "GPU 1: NVIDIA A100 (UUID: GPU-2)\n", 2, nil, ""},
		"no GPUs to give": {say(500, `{"message":"could not select device driver \"\" with capabilities: [[gpu utility]]"}`), "", "", 0, launch.ErrHost, "nvidia-ctk"},
		"no nvidia-smi":   {say(400, `{"message":"exec: \"nvidia-smi\": executable file not found in $PATH"}`), "", "", 0, launch.ErrNoLister, "a/b"},
		"it fails":        {say(204, ``), "9", "Failed to initialize NVML: Driver/library version mismatch\n", 0, nil, "version mismatch"},
	} {
		t.Run(name, func(t *testing.T) {
			removed := false
			fake(t, map[string]http.HandlerFunc{
				"POST /containers/create":   say(201, `{"Id":"c1"}`),
				"POST /containers/c1/start": c.start,
				"POST /containers/c1/wait": func(w http.ResponseWriter, r *http.Request) {
					if c.code == "" {
						w.WriteHeader(http.StatusOK)
						_ = http.NewResponseController(w).Flush()
						<-r.Context().Done()
						return
					}
					io.WriteString(w, `{"StatusCode":`+c.code+`}`) //nolint:errcheck // a test's answer
				},
				"GET /containers/c1/logs": func(w http.ResponseWriter, _ *http.Request) {
					io.WriteString(stdcopy.NewStdWriter(w, stdcopy.Stdout), c.says) //nolint:errcheck // a test's answer
				},
				"DELETE /containers/c1": func(w http.ResponseWriter, _ *http.Request) {
					removed = true
					w.WriteHeader(http.StatusNoContent)
				},
			})
			seen, err := openFake(t).TryGPUs(t.Context(), launch.Image{Ref: "a/b", ID: "sha256:1"}, []string{"GPU-1", "GPU-2"}, "doctor-1", "/locks/run-doctor-1.lock")
			if seen != c.seen || c.is != nil && !errors.Is(err, c.is) || (err == nil) != (c.seen > 0) || err != nil && !strings.Contains(err.Error(), c.text) {
				t.Errorf("%d seen, error %v; want %d, %v, %q", seen, err, c.seen, c.is, c.text)
			}
			if !removed {
				t.Error("the container is left")
			}
		})
	}
}

func TestTheDockerCommandsContext(t *testing.T) {
	for name, c := range map[string]struct{ config, context, host, want string }{
		"none":          {"", "", "", ""},
		"the default":   {`{"currentContext": "default"}`, "", "", ""},
		"current":       {`{"currentContext": "rootless"}`, "", "", "rootless"},
		"by a variable": {`{"currentContext": "rootless"}`, "far", "", "far"},
		"DOCKER_HOST":   {`{"currentContext": "rootless"}`, "", "unix:///s", ""},
		"nonsense":      {`{`, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.config != "" {
				if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(c.config), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			t.Setenv("DOCKER_CONFIG", dir)
			t.Setenv("DOCKER_CONTEXT", c.context)
			t.Setenv("DOCKER_HOST", c.host)
			if got := currentContext(); got != c.want {
				t.Errorf("context %q, want %q", got, c.want)
			}
		})
	}
}
