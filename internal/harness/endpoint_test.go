package harness

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// nothing is a daemon that must not be asked.
type nothing struct{ t *testing.T }

func (n nothing) Resolve(context.Context, string, string, func(done, total int64)) (launch.Image, error) {
	n.t.Error("an image was looked for")
	return launch.Image{}, errors.New("no daemon")
}
func (n nothing) Launch(context.Context, launch.Spec) (launch.Server, error) {
	n.t.Error("a container was started")
	return nil, errors.New("no daemon")
}
func (nothing) Words() launch.Words                                 { return launch.Words{} }
func (nothing) Describe(context.Context) (launch.DaemonInfo, error) { return launch.DaemonInfo{}, nil }

// atEndpoint runs a quick experiment on a server that already runs.
func atEndpoint(t *testing.T, url, text string) (Outcome, []string, error) {
	t.Helper()
	file := fmt.Sprintf("model: reference/tiny\noutput: {dir: %q}\nengine: {served_model: m, endpoint: \"%s\"}\n%s%s", t.TempDir(), url, small, text)
	e, err := study.Decode("test.yaml", []byte(file), study.Options{Quick: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &watching{}
	r := &Runner{
		Launcher: nothing{t}, Observer: w, Log: slog.New(slog.DiscardHandler),
		OpenGPUs: func(context.Context) (device.Session, error) { return nil, ErrNoGPU },
	}
	out, err := r.Execute(t.Context(), e)
	return out, w.phases, err
}

func TestAServerThatAlreadyRunsIsMeasuredAndLeftAlone(t *testing.T) {
	t.Parallel()
	f := &fake{}
	f.start(t)
	out, phases, err := atEndpoint(t, f.url, "")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"preflight", "baseline", "launch", "warmup", "thermal_floor", "window", "record"}; !slices.Equal(phases, want) {
		t.Errorf("phases %v, want %v", phases, want)
	}
	r := out.Record
	if r.Status != result.Completed || r.Requests.Completed != 4 || f.ended != "" {
		t.Errorf("%s, %+v, the server was %q", r.Status, r.Requests, f.ended)
	}
	if again, _, err := study.ReadFile(filepath.Join(out.Dir, result.ConfigFile), study.Options{Quick: true}); err != nil || again.ConfigHash() != r.ConfigHash {
		t.Errorf("its configuration does not decode to the same again: %v", err)
	}
	e := r.Engine
	if e.Name != "reference" || e.ToldBy != "metrics" || e.Endpoint == nil || *e.Endpoint != f.url || e.Route != "endpoint" || e.StartupSeconds != nil || e.Image != "" {
		t.Errorf("engine %+v", e)
	}
	if !strings.HasPrefix(r.Gap, "none") || r.BaselinePowerW != nil {
		t.Errorf("gap %q, baseline %v", r.Gap, r.BaselinePowerW)
	}
}

func TestAServerThatCannotBeMeasuredIsRefused(t *testing.T) {
	t.Parallel()
	f := &fake{}
	f.start(t)
	for name, c := range map[string]struct {
		url  string
		kind launch.Kind
		says string
	}{
		"on another host": {"http://192.0.2.7:8000", launch.HostFault, "another host"},
		"nobody there":    {"http://127.0.0.1:1", launch.ConfigFault, "is it up"},
		"no such name":    {"http://nowhere.invalid", launch.ConfigFault, "nowhere.invalid"},
		"another engine":  {f.url + `", name: "vllm`, launch.ConfigFault, "vllm by engine.name, and reference by the metrics"},
	} {
		_, _, err := atEndpoint(t, c.url, "")
		if err == nil || launch.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, of kind %d; want one of kind %d that says %q", name, err, launch.KindOf(err), c.kind, c.says)
		}
	}
}
