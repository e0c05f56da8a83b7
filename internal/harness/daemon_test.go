package harness

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// away is a daemon in a virtual machine.
type away struct{ *fake }

func (away) Describe(context.Context) (launch.DaemonInfo, error) {
	return launch.DaemonInfo{Version: "1", Elsewhere: "its kernel is another"}, nil
}

// Nothing of this host's belongs to an engine that runs on another machine.
func TestADaemonOnAnotherMachineGivesNoEnergy(t *testing.T) {
	t.Parallel()
	for text, refused := range map[string]bool{
		"":                          true,
		"gpus: none\n":              true,
		"energy: {backend: none}\n": true,
		"gpus: none\nenergy: {backend: none, host: rapl}\n": true,
		"gpus: none\nenergy: {backend: none}\n":             false,
	} {
		f := &fake{}
		r := f.runner(t, &watching{})
		r.Launcher = away{f}
		r.OpenHost = func() (measure.HostReader, error) {
			t.Error("the energy of this host was asked for")
			return nil, nil
		}
		out, err := r.Execute(t.Context(), experiment(t, small+text))
		switch {
		case refused && (launch.KindOf(err) != launch.HostFault || !strings.Contains(err.Error(), "its kernel is another") || !strings.Contains(err.Error(), "gpus: none")):
			t.Errorf("%q: %v", text, err)
		case !refused && err != nil:
			t.Errorf("%q: %v", text, err)
		case !refused && (out.Record.Environment.Docker.Elsewhere == nil || out.Record.EnergyTotalJ != nil):
			t.Errorf("%q: the record says %+v, %v J", text, out.Record.Environment.Docker, out.Record.EnergyTotalJ)
		}
	}
}

// warm is a container that found what an earlier one has compiled.
type warm struct{ *fake }

func (w warm) Launch(context.Context, launch.Spec) (launch.Server, error) { return w, nil }
func (w warm) Info() launch.ContainerInfo {
	i := w.fake.Info()
	i.CompileCache = launch.CacheWarm
	return i
}

func TestTheRecordSaysWhetherCachesWereWarm(t *testing.T) {
	t.Parallel()
	f := &fake{}
	r := f.runner(t, &watching{})
	r.Launcher = warm{f}
	out, err := r.Execute(t.Context(), experiment(t, small))
	if err != nil || out.Record.Engine.CompileCache == nil || *out.Record.Engine.CompileCache != "warm" {
		t.Errorf("%v, compile_cache %v", err, out.Record.Engine.CompileCache)
	}
	out, _, err = (&fake{}).executed(t, small, nil)
	if err != nil || out.Record.Engine.CompileCache != nil {
		t.Errorf("%v, compile_cache %v without a cache", err, out.Record.Engine.CompileCache)
	}
}

// ending is a daemon that was told to end: it stops its containers, answers a while,
// and goes.
type ending struct {
	*fake
	code    int
	answers atomic.Int32 // that are left once the container has ended
}

func (e *ending) Launch(context.Context, launch.Spec) (launch.Server, error) { return e, nil }

func (e *ending) Err() error {
	if e.fake.Err() == nil {
		return nil
	}
	return &launch.Exited{ExitCode: e.code}
}

func (e *ending) Describe(context.Context) (launch.DaemonInfo, error) {
	if e.fake.Err() != nil && e.answers.Add(-1) < 0 {
		return launch.DaemonInfo{}, launch.ErrAway
	}
	return launch.DaemonInfo{Version: "1"}, nil
}

// A container that its daemon stopped is no fault of the engine's, whatever it says
// as it ends; one that crashed is.
func TestADaemonThatEndsIsNotTheEnginesFault(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		code    int
		answers int32
		kind    launch.Kind
	}{
		{"SIGTERM, and gone at once", 143, 0, launch.HostFault},
		{"SIGTERM, and gone later", 143, 4, launch.HostFault},
		{"killed after its grace", 137, 4, launch.HostFault},
		{"it ended well", 0, 4, launch.HostFault},
		{"it ended as by an interrupt", 130, 4, launch.HostFault},
		{"no exit code, since the daemon was gone", -1, 0, launch.HostFault},
		{"a crash", 139, 100, launch.ExperimentFault},
		{"an error of the engine's", 1, 100, launch.ExperimentFault},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := &ending{fake: &fake{dies: "/v1/completions", after: 2}, code: c.code}
			f.answers.Store(c.answers)
			r := f.runner(t, &watching{})
			r.Launcher = f
			out, err := r.Execute(t.Context(), experiment(t, small))
			if launch.KindOf(err) != c.kind || errors.Is(err, launch.ErrAway) != (c.kind == launch.HostFault) {
				t.Errorf("kind %v, want %v: %v", launch.KindOf(err), c.kind, err)
			}
			if want := map[launch.Kind]string{launch.HostFault: result.Interrupted, launch.ExperimentFault: result.Failed}[c.kind]; out.Record == nil || out.Record.Status != want {
				t.Errorf("the record is not %s: %v", want, out.Record != nil)
			}
		})
	}
}

// An interrupt in preflight is one, whatever it makes fail; nothing of the result
// stays.
func TestAnInterruptInPreflightIsNoFaultOfTheHost(t *testing.T) {
	t.Parallel()
	for name, fails := range map[string]error{
		"the daemon":          launch.ErrAway,
		"the image":           launch.ErrNoImage,
		"a fault of the host": launch.Faultf(launch.HostFault, "read gpu_settings back: %w", io.ErrUnexpectedEOF),
		"the configuration":   launch.Faultf(launch.ConfigFault, "no such engine"),
		"the context":         context.Canceled,
	} {
		f := &fake{}
		ctx, cancel := context.WithCancel(t.Context())
		r := f.runner(t, &watching{})
		r.Launcher = refusing{f, func() error { cancel(); return fails }}
		e := experiment(t, small)
		out, err := r.Execute(ctx, e)
		if launch.KindOf(err) != launch.InterruptFault || out.Record != nil {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := os.ReadDir(e.Output.Dir); len(left) > 0 {
			t.Errorf("%s: %v left", name, left)
		}
	}
}

// refusing is a daemon that has no image.
type refusing struct {
	*fake
	why func() error
}

func (r refusing) Resolve(context.Context, string, string, func(done, total int64)) (launch.Image, error) {
	return launch.Image{}, r.why()
}
