package harness

import (
	"context"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/measure"
)

// away is a daemon in a virtual machine.
type away struct{ *fake }

func (away) Describe(context.Context) DaemonInfo {
	return DaemonInfo{Version: "1", Elsewhere: "its kernel is another"}
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
		r.Docker = away{f}
		r.OpenHost = func() (measure.HostReader, error) {
			t.Error("the energy of this host was asked for")
			return nil, nil
		}
		out, err := r.Execute(t.Context(), experiment(t, small+text))
		switch {
		case refused && (KindOf(err) != HostFault || !strings.Contains(err.Error(), "its kernel is another") || !strings.Contains(err.Error(), "gpus: none")):
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

func (w warm) Launch(context.Context, engine.Spec) (engine.Server, error) { return w, nil }
func (w warm) Info() engine.ContainerInfo {
	i := w.fake.Info()
	i.CompileCache = engine.CacheWarm
	return i
}

func TestTheRecordSaysWhetherCachesWereWarm(t *testing.T) {
	t.Parallel()
	f := &fake{}
	r := f.runner(t, &watching{})
	r.Docker = warm{f}
	out, err := r.Execute(t.Context(), experiment(t, small))
	if err != nil || out.Record.Engine.CompileCache == nil || *out.Record.Engine.CompileCache != "warm" {
		t.Errorf("%v, compile_cache %v", err, out.Record.Engine.CompileCache)
	}
	out, _, err = (&fake{}).executed(t, small, nil)
	if err != nil || out.Record.Engine.CompileCache != nil {
		t.Errorf("%v, compile_cache %v without a cache", err, out.Record.Engine.CompileCache)
	}
}
