package docker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/launch"
)

// fake is a daemon that answers as told, for what a real one cannot be made to
// do. Paths are without the API's version; what is not told is a 404.
func fake(t *testing.T, answers map[string]http.HandlerFunc) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Api-Version", "1.41")
		p := r.URL.Path
		if strings.HasPrefix(p, "/v1.") {
			_, p, _ = strings.Cut(p[1:], "/")
			p = "/" + p
		}
		if p == "/_ping" {
			return
		}
		for route, h := range answers {
			if method, prefix, _ := strings.Cut(route, " "); method == r.Method && strings.HasPrefix(p, prefix) {
				h(w, r)
				return
			}
		}
		w.WriteHeader(http.StatusNotFound)
		io.WriteString(w, `{"message":"no such thing"}`) //nolint:errcheck // a test's answer
	}))
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
	t.Setenv("DOCKER_HOST", "unix://"+path)
}

func say(code int, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		io.WriteString(w, text) //nolint:errcheck // a test's answer
	}
}

func openFake(t *testing.T) *daemon {
	t.Helper()
	d, err := reach(t.Context(), launch.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

func TestPullsThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		pull http.HandlerFunc
		says []string
	}{
		"refused":             {say(404, `{"message":"pull access denied for a/b"}`), []string{"pull access denied", "docker login"}},
		"error in the stream": {say(200, `{"status":"Pulling"}`+"\n"+`{"errorDetail":{"message":"no space left on device"},"error":"no space left on device"}`), []string{"no space left on device"}},
		"breaks off":          {say(200, `{"status":"Pulling"}`+"\n"+`{"sta`), []string{"broke off"}},
		"then is not there":   {say(200, `{"status":"done"}`), []string{"not found"}},
	} {
		t.Run(name, func(t *testing.T) {
			fake(t, map[string]http.HandlerFunc{"POST /images/create": c.pull})
			_, err := openFake(t).Resolve(t.Context(), "a/b:1", "missing", func(int64, int64) {})
			for _, says := range append(c.says, "a/b:1") {
				if err == nil || !strings.Contains(err.Error(), says) {
					t.Errorf("error %v, want one that says %q", err, says)
				}
			}
		})
	}
}

// An interrupt is no fault of the image's, wherever in the pull it comes.
func TestAPullThatIsInterrupted(t *testing.T) {
	for name, begins := range map[string]string{
		"before an answer": "",
		"in the stream":    `{"status":"Downloading","id":"a","progressDetail":{"current":10,"total":100}}` + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			fake(t, map[string]http.HandlerFunc{"POST /images/create": func(w http.ResponseWriter, r *http.Request) {
				if begins == "" {
					cancel()
				}
				io.WriteString(w, begins) //nolint:errcheck // a test's answer
				_ = http.NewResponseController(w).Flush()
				<-r.Context().Done()
			}})
			_, err := openFake(t).Resolve(ctx, "a/b:1", "missing", func(int64, int64) { cancel() })
			if !errors.Is(err, context.Canceled) || errors.Is(err, launch.ErrNoImage) {
				t.Errorf("error %v, want context.Canceled alone", err)
			}
		})
	}
}

func TestPullTellsItsProgress(t *testing.T) {
	pulled := false
	fake(t, map[string]http.HandlerFunc{
		"POST /images/create": func(w http.ResponseWriter, r *http.Request) {
			pulled = true
			say(200, `{"status":"Downloading","id":"a","progressDetail":{"current":10,"total":100}}
{"status":"Downloading","id":"b","progressDetail":{"current":5,"total":50}}
{"status":"Downloading","id":"a","progressDetail":{"current":90,"total":100}}
{"status":"Download complete","id":"a","progressDetail":{}}`)(w, r)
		},
		"GET /images/": func(w http.ResponseWriter, r *http.Request) {
			if !pulled {
				say(404, `{"message":"No such image"}`)(w, r)
				return
			}
			_, arch := hostPlatform()
			say(200, `{"Id":"sha256:1","Os":"linux","Architecture":"`+arch+`","RepoDigests":["other@sha256:`+strings.Repeat("2", 64)+`","a/b@sha256:`+strings.Repeat("1", 64)+`"]}`)(w, r)
		},
	})
	var seen [][2]int64
	d := openFake(t)
	var said []string
	d.opt.Say = func(note string) { said = append(said, note) }
	got, err := d.Resolve(t.Context(), "a/b:1", "missing", func(done, total int64) { seen = append(seen, [2]int64{done, total}) })
	if err != nil || got.Digest != "a/b@sha256:"+strings.Repeat("1", 64) {
		t.Errorf("%+v, %v", got, err)
	}
	if len(seen) != 3 || seen[2] != [2]int64{95, 150} {
		t.Errorf("progress %v", seen)
	}
	if diff := cmp.Diff([]string{"pulling docker.io/a/b:1", "pulled docker.io/a/b:1 in 0 s"}, said); diff != "" {
		t.Errorf("said: -want +got:\n%s", diff)
	}
}

func TestImagesThatAreRefusedHere(t *testing.T) {
	fake(t, map[string]http.HandlerFunc{"GET /images/": say(200, `{"Id":"sha256:1","Os":"linux","Architecture":"s390x"}`)})
	_, err := openFake(t).Resolve(t.Context(), "a/b:1", "missing", nil)
	if !errors.Is(err, launch.ErrImage) || !strings.Contains(err.Error(), "linux/s390x") {
		t.Errorf("%v", err)
	}
	fake(t, nil)
	if _, err := openFake(t).Resolve(t.Context(), "a/b:1", "never", nil); !errors.Is(err, launch.ErrNoImage) || !strings.Contains(err.Error(), "docker pull a/b:1") {
		t.Errorf("%v", err)
	}
	if _, err := openFake(t).Resolve(t.Context(), "A B", "missing", nil); !errors.Is(err, launch.ErrImage) {
		t.Errorf("%v", err)
	}
	fake(t, map[string]http.HandlerFunc{"GET /images/": say(500, `{"message":"disk on fire"}`)})
	if _, err := openFake(t).Resolve(t.Context(), "a/b:1", "missing", nil); err == nil || !strings.Contains(err.Error(), "disk on fire") {
		t.Errorf("%v", err)
	}
}

// A daemon without GPUs says so when the container starts; the container that
// it made must be removable.
func TestADaemonWithoutGPUs(t *testing.T) {
	for _, refusal := range []string{
		`could not select device driver \"\" with capabilities: [[gpu]]`,
		`failed to create task: nvidia-container-cli: initialization error`,
		`CDI device injection failed: unresolvable CDI devices`,
	} {
		removed := make(chan struct{})
		fake(t, map[string]http.HandlerFunc{
			"POST /containers/create": say(201, `{"Id":"c1"}`),
			"POST /containers/c1/wait": func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(http.StatusOK) // as dockerd does, before there is an end to tell of
				_ = http.NewResponseController(w).Flush()
				<-removed
			},
			"POST /containers/c1/start": say(500, `{"message":"`+refusal+`"}`),
			"POST /containers/c1/stop":  say(304, ``),
			"DELETE /containers/c1": func(w http.ResponseWriter, _ *http.Request) {
				close(removed)
				w.WriteHeader(http.StatusNoContent)
			},
		})
		d := openFake(t)
		s, err := d.Launch(t.Context(), launch.Spec{GPUs: []string{"GPU-1"}, Port: 8000, Name: "n"})
		if !errors.Is(err, launch.ErrHost) || !strings.Contains(err.Error(), "nvidia-ctk runtime configure") || s == nil {
			t.Fatalf("%v, %v", s, err)
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		select {
		case <-removed:
		default:
			t.Error("the container was not removed")
			close(removed)
		}
	}
}

func TestDaemonsThatCannotBeReached(t *testing.T) {
	for host, c := range map[string]struct {
		is   error
		says string
	}{
		"unix:///nowhere/docker.sock": {launch.ErrAway, "systemctl start docker"},
		"tcp://127.0.0.1:9":           {launch.ErrAway, "127.0.0.1:9"},
		"nonsense":                    {launch.ErrAway, "DOCKER_HOST"},
	} {
		t.Setenv("DOCKER_HOST", host)
		if _, err := reach(t.Context(), launch.Options{Log: slog.New(slog.DiscardHandler)}); !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", host, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	if _, err := reach(ctx, launch.Options{Log: slog.New(slog.DiscardHandler)}); err == nil {
		t.Error("opened")
	}
}

// A daemon looks in its default folders for CDI devices; only a specification
// of GPUs in one of them says that it can give GPUs.
func TestCDIIsASpecificationOfGPUs(t *testing.T) {
	for name, c := range map[string]struct {
		spec string // "": the folder is empty
		want bool
	}{
		"empty":          {"", false},
		"another vendor": {"cdiVersion: 0.5.0\nkind: vendor.com/net\n", false},
		"GPUs":           {"cdiVersion: 0.5.0\nkind: nvidia.com/gpu\n", true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if c.spec != "" {
				if err := os.WriteFile(filepath.Join(dir, "spec.yaml"), []byte(c.spec), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			fake(t, map[string]http.HandlerFunc{
				"GET /version": say(200, `{"Version":"28.3.0"}`),
				"GET /info":    say(200, `{"CDISpecDirs":["/nowhere","`+dir+`"]}`),
			})
			if i, err := openFake(t).Describe(t.Context()); err != nil || i.GPUs != c.want {
				t.Errorf("CDI %v, %v; want %v", i.GPUs, err, c.want)
			}
		})
	}
}

// A container that somebody else is removing is waited for, and no error.
func TestAContainerThatIsBeingRemoved(t *testing.T) {
	busy := 2
	fake(t, map[string]http.HandlerFunc{"DELETE /containers/": func(w http.ResponseWriter, r *http.Request) {
		if busy--; busy >= 0 {
			say(http.StatusConflict, `{"message":"removal of container a is already in progress"}`)(w, r)
			return
		}
		say(http.StatusNotFound, `{"message":"No such container: a"}`)(w, r)
	}})
	if err := openFake(t).Remove(t.Context(), launch.Orphan{ID: "a"}); err != nil || busy >= 0 {
		t.Errorf("got %v, %d answers left", err, busy)
	}
}
