package job

import (
	"context"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
)

// findEndpoint sees that the server is on this host, as its GPUs must be, and
// tells its engine.
func (f *Finder) findEndpoint(ctx context.Context, j *Job) error {
	g := j.Experiment.Engine
	at := g.Endpoint
	if j.Experiment.Energy.Backend != "none" {
		if err := onThisHost(ctx, at); err != nil {
			return err
		}
	}
	if j.Credentials.key != "" && strings.HasPrefix(at, "http://") && onThisHost(ctx, at) != nil {
		f.Say("the key goes to " + at + " unencrypted, and whoever can read the network can read it: give an address with https://")
	}
	eng, err := engine.Lookup(g.Name)
	unknown := err == nil && eng.Traits().Running
	seen, err := engine.Look(ctx, j.At(at), unknown || j.Experiment.Model != "")
	switch {
	case err != nil && f.InStudy && !engine.Refused(err): // it may be back, and the study waits
		return launch.Faultf(launch.HostFault, "engine.endpoint: %w", launch.Mark(launch.ErrAway, err))
	case err != nil:
		return launch.Faultf(launch.ConfigFault, "engine.endpoint: %w", err)
	}
	if err := j.tell(seen); err != nil {
		return config(err)
	}
	return config(j.Pick(seen))
}

// tell finds the engine of a server that already runs. One that shows none of the
// engine that it is said to be is refused; one that does not show all, doubted.
func (j *Job) tell(seen *engine.Seen) (err error) {
	name, doubt := j.Experiment.Engine.Name, ""
	if name == "" {
		name, j.ToldBy, doubt = seen.Tell()
	}
	if j.Engine, err = engine.Lookup(name); err != nil {
		return err
	}
	if err := seen.Refuse(j.Engine); err != nil {
		return err
	}
	if j.Experiment.Engine.Name != "" {
		doubt = seen.Doubt(j.Engine)
	}
	switch {
	case doubt == "":
	case j.Engine.Traits().Running:
		j.warn("engine_not_confirmed", "%s: it is measured as any server with OpenAI's API", doubt)
	default:
		j.warn("engine_not_confirmed", "%s, which every server of %s has", doubt, j.Engine.Name())
	}
	return nil
}

// Pick finds the model to measure among those of the server.
func (j *Job) Pick(seen *engine.Seen) (err error) {
	j.Listed = seen.Models
	find := seen.Choose
	if !j.Running() {
		find = seen.Launched
	}
	if j.Served, err = find(j.Experiment.Model, j.Experiment.Engine.ServedModel); err != nil {
		return err
	}
	if j.Experiment.Model == "" { // it is the experiment's from here on, as if it had been named
		j.Experiment.Model = j.Served.ID
	}
	loaded := ""
	if j.Served.Loaded != "" && j.Served.Loaded != j.Served.ID {
		loaded = " (loaded from " + j.Served.Loaded + ")"
	}
	switch j.Served.By {
	case engine.ByUnlisted:
		j.warn("model_not_confirmed", "the server lists no models (%v): that it serves %s is nobody's word but the configuration's", seen.Unlisted, j.Served.ID)
	case engine.ByName, engine.ByRoot, engine.ByKey:
		j.warn("model_not_confirmed", "model is %s, and the server calls what was measured %s%s%s", j.Experiment.Model, j.Served.ID, loaded, alikeBy[j.Served.By])
	}
	if j.Served.By == engine.ByRoot {
		j.Warnings[len(j.Warnings)-1].Severity = measure.Note
	}
	return nil
}

// alikeBy says why two names were taken for one model's.
var alikeBy = map[string]string{
	engine.ByRoot: ": it is the same by what it was loaded from",
	engine.ByName: ": they are taken for the same by the last part of their names",
	engine.ByKey:  ", as engine.served_model says; parameters and FLOPs are those of model",
}

// onThisHost refuses a server whose GPUs cannot be those that are read here.
func onThisHost(ctx context.Context, at string) error {
	u, err := url.Parse(at)
	if err != nil {
		return launch.Faultf(launch.ConfigFault, "engine.endpoint: %w", err)
	}
	addresses, err := net.DefaultResolver.LookupNetIP(ctx, "ip", u.Hostname())
	if err != nil {
		return launch.Faultf(launch.ConfigFault, "engine.endpoint %s: %w", at, err)
	}
	own, err := net.InterfaceAddrs()
	if err != nil {
		return launch.Faultf(launch.HostFault, "list this host's addresses: %w", err)
	}
	for _, a := range addresses {
		if !a.Unmap().IsLoopback() && !among(own, a.Unmap()) {
			return launch.Faultf(launch.HostFault, "engine.endpoint %s is on another host (%s): energy is read on the host that holds the GPUs; run llem there, or set energy.backend: none and gpus: none", at, a)
		}
	}
	return nil
}

// among says whether an address is one of this host's.
func among(own []net.Addr, a netip.Addr) bool {
	for _, o := range own {
		if n, ok := o.(*net.IPNet); ok && n.IP.Equal(a.AsSlice()) {
			return true
		}
	}
	return false
}

func (j *Job) warn(code, seen string, args ...any) {
	j.Warnings = append(j.Warnings, measure.Warn(code, seen, args...))
}
