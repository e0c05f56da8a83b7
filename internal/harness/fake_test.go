package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/record/verify"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "llem-harness-")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Setenv("LLEM_LOCK_DIR", filepath.Join(dir, "locks"))
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// fake is a reference engine, its container and its daemon, without any of
// them: what it says and when it dies is the test's.
type fake struct {
	short    int  // tokens that each answer lacks
	template int  // tokens that each prompt has more than was sent
	cached   int  // prompt tokens of each request that it says it found in its cache
	running  int  // requests that it says still run
	fails    int  // completions from this one on, counted from 1, are refused; 0: none
	mute     bool // it says nothing of its cache
	counts   bool // it has a route that counts tokens: a character is one
	swings   bool // every other answer takes longer
	dies     string
	after    int // of the requests of the path dies
	silent   bool
	away     int                                    // how often the daemon does not answer, once it was asked for an image three times
	lost     int                                    // its image is gone once it was asked for so often; 0: never
	launched int                                    // containers
	asked    int                                    // for an image
	odd      func(w io.Writer, n, in, out int) bool // answers the n-th request in its own way, or not: false
	began    func(n int) string                     // what else its metrics say, the n-th time
	tells    []string                               // stand in its command line, its log and its refusals

	url   string
	done  chan struct{}
	mu    sync.Mutex
	seen  map[string]int
	in    int
	out   int
	ended string // how the container was ended
}

// start serves until the test ends.
func (f *fake) start(t *testing.T) {
	f.done, f.seen = make(chan struct{}), map[string]int{}
	s := httptest.NewServer(f)
	t.Cleanup(s.Close)
	f.url = s.URL
}

// die breaks the connection at once; the daemon tells of it later.
func (f *fake) die() { time.AfterFunc(200*time.Millisecond, func() { close(f.done) }) }

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	f.seen[r.URL.Path]++
	n := f.seen[r.URL.Path]
	dead := f.dies == r.URL.Path && n == f.after+1
	f.silent = f.silent || dead
	silent := f.silent
	f.mu.Unlock()
	if dead {
		f.die()
	}
	if silent {
		panic(http.ErrAbortHandler)
	}
	switch r.URL.Path {
	case "/version":
		fmt.Fprint(w, `{"version":"1"}`)
	case "/v1/models":
		fmt.Fprint(w, `{"data":[{"id":"m","max_model_len":4096,"text_token_low":97,"text_token_high":123}]}`)
	case "/metrics":
		f.mu.Lock()
		defer f.mu.Unlock()
		const p = "llem_reference_"
		fmt.Fprintf(w, p+"requests_running %d\n"+p+"requests_waiting 0\n"+p+"prompt_tokens_total %d\n"+p+"generation_tokens_total %d\n", f.running, f.in, f.out)
		if f.began != nil {
			fmt.Fprint(w, f.began(n))
		}
	case "/tokenize":
		var b struct{ Model, Prompt string }
		if err := json.NewDecoder(r.Body).Decode(&b); err != nil || b.Model != "m" || !f.counts {
			http.Error(w, "no", http.StatusNotFound)
			return
		}
		fmt.Fprintf(w, `{"count":%d,"max_model_len":4096}`, len(b.Prompt))
	case "/v1/completions", "/v1/chat/completions":
		f.complete(w, r, n)
	}
}

func (f *fake) complete(w http.ResponseWriter, r *http.Request, n int) {
	if f.fails > 0 && n >= f.fails {
		http.Error(w, "no room "+strings.Join(f.tells, " "), http.StatusInternalServerError)
		return
	}
	var b struct {
		Prompt    any `json:"prompt"` // ids or text
		MaxTokens int `json:"max_tokens"`
		Messages  []struct {
			Content string `json:"content"`
		} `json:"messages"`
	}
	if err := json.NewDecoder(r.Body).Decode(&b); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	in, out := f.template, b.MaxTokens-f.short
	switch p := b.Prompt.(type) {
	case []any:
		in += len(p)
	case string:
		in += len(p)
	}
	for _, m := range b.Messages {
		in += len(m.Content)
	}
	f.mu.Lock()
	f.in, f.out = f.in+in, f.out+out
	f.mu.Unlock()
	if f.odd != nil && f.odd(w, n, in, out) {
		return
	}
	if f.swings && n%2 == 0 {
		time.Sleep(5 * time.Millisecond)
	}
	for range out {
		fmt.Fprint(w, "data: {\"choices\":[{\"text\":\"x\"}]}\n\n")
	}
	cached := fmt.Sprintf(`,"prompt_tokens_details":{"cached_tokens":%d}`, f.cached)
	if f.mute {
		cached = ""
	}
	fmt.Fprintf(w, "data: {\"choices\":[{\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":%d,\"completion_tokens\":%d%s}}\n\ndata: [DONE]\n\n", in, out, cached)
}

// The container.

func (f *fake) URL() string { return f.url }
func (f *fake) Info() launch.ContainerInfo {
	return launch.ContainerInfo{ID: "c1", Command: append([]string{"/reference"}, f.tells...)}
}
func (f *fake) Done() <-chan struct{}  { return f.done }
func (f *fake) Owns(int) (bool, error) { return false, nil }
func (f *fake) Log(_ context.Context, w io.Writer, _ time.Time) error {
	_, err := io.WriteString(w, "its log\n"+strings.Join(f.tells, "\n"))
	return err
}
func (f *fake) Stop(context.Context) error { f.ended = "stopped"; return nil }
func (f *fake) Kill(context.Context) error { f.ended = "killed"; return nil }
func (f *fake) Words() launch.Words        { return launch.Words{} }
func (f *fake) Describe(context.Context) (launch.DaemonInfo, error) {
	return launch.DaemonInfo{Version: "1"}, nil
}

func (f *fake) Err() error {
	select {
	case <-f.done:
		return &launch.Exited{ExitCode: 9, LogTail: "its last words " + strings.Join(f.tells, " ")}
	default:
		return nil
	}
}

// The daemon.

func (f *fake) Resolve(context.Context, string, string, func(done, total int64)) (launch.Image, error) {
	if f.asked++; f.asked > 3 && f.away > 0 {
		f.away--
		return launch.Image{}, launch.ErrAway
	}
	if f.lost > 0 && f.asked > f.lost {
		return launch.Image{}, launch.ErrNoImage
	}
	return launch.Image{Ref: "i", ID: "sha256:1"}, nil
}

func (f *fake) Launch(context.Context, launch.Spec) (launch.Server, error) {
	f.launched++
	return f, nil
}

// watching keeps the phases that began; at is called as one begins.
type watching struct {
	phases []string
	at     func(phase string)
	last   string // said as a phase ended
}

func (w *watching) Begin(phase, _ string) {
	w.phases = append(w.phases, phase)
	if w.at != nil {
		w.at(phase)
	}
}
func (w *watching) End(_ string, _ time.Duration, note string) { w.last = note }
func (w *watching) Progress(_, _ int64)                        {}
func (w *watching) Say(string)                                 {}

// experiment is a quick one: text is YAML beside model and image.
func experiment(t *testing.T, text string) study.Experiment {
	t.Helper()
	if !strings.Contains(text, "engine:") {
		text += "engine: {name: reference, image: i}\n"
	}
	e, err := study.Decode("test.yaml", []byte(fmt.Sprintf("model: reference/tiny\noutput: {dir: %q}\n%s", t.TempDir(), text)), study.Options{Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// runner runs experiments on f, on a host without a GPU.
func (f *fake) runner(t *testing.T, w *watching) *Runner {
	f.start(t)
	return &Runner{
		Launcher: f, Observer: w, Log: slog.New(slog.DiscardHandler),
		OpenGPUs: func(context.Context) (device.Session, error) { return nil, ErrNoGPU },
	}
}

// executed runs a quick experiment on f: text is YAML beside model and image.
func (f *fake) executed(t *testing.T, text string, at func(phase string)) (Outcome, []string, error) {
	t.Helper()
	w := &watching{at: at}
	out, err := f.runner(t, w).Execute(t.Context(), experiment(t, text))
	if out.Dir != "" {
		asWritten(t, out.Dir)
	}
	return out, w.phases, err
}

// asWritten has what a run left computed again, also where it failed.
func asWritten(t *testing.T, dir string) {
	t.Helper()
	r, _, err := result.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range verify.Record(r, dir, "") {
		if !f.OK {
			t.Errorf("%s: %s", f.What, f.Seen)
		}
	}
}
