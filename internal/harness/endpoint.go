package harness

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
)

// endpoint is a server that ran before llem came, and runs on after it.
type endpoint string

func (e endpoint) URL() string { return string(e) }
func (endpoint) Info() launch.ContainerInfo {
	return launch.ContainerInfo{Command: []string{}, Route: "endpoint"}
}

// Owns is false: the server's processes were there before and are known.
func (endpoint) Owns(int) (bool, error)                          { return false, nil }
func (endpoint) Done() <-chan struct{}                           { return nil } // never: its life is not ours to see
func (endpoint) Err() error                                      { return nil }
func (endpoint) Log(context.Context, io.Writer, time.Time) error { return nil }
func (endpoint) Stop(context.Context) error                      { return nil }
func (endpoint) Kill(context.Context) error                      { return nil }

// address is where a server of this run is, with what is sent to it.
func (x *run) address(url string) engine.Address {
	return engine.Address{URL: url, Header: x.sent.header, KeyFrom: x.sent.from}
}

// at is the address of the server that is measured.
func (x *run) at() engine.Address { return x.address(x.server.URL()) }

// running says that the server of this run was already there.
func (x *run) running() bool { return x.exp.Engine.Endpoint != "" }

// findEndpoint sees that the server is on this host, as its GPUs must be, and
// tells its engine.
func (x *run) findEndpoint(ctx context.Context) error {
	at := x.exp.Engine.Endpoint
	if x.exp.Energy.Backend != "none" {
		if err := onThisHost(ctx, at); err != nil {
			return err
		}
	}
	if x.sent.key != "" && strings.HasPrefix(at, "http://") && onThisHost(ctx, at) != nil {
		x.Observer.Say("the key goes to " + at + " unencrypted, and whoever can read the network can read it: give an address with https://")
	}
	eng, err := engine.Lookup(x.exp.Engine.Name)
	unknown := err == nil && eng.Traits().Running
	seen, err := engine.Look(ctx, x.address(at), unknown || x.exp.Model != "")
	switch {
	case err != nil && x.place != nil && !engine.Refused(err): // it may be back, and the study waits
		return launch.Faultf(launch.HostFault, "engine.endpoint: %w", launch.Mark(launch.ErrAway, err))
	case err != nil:
		return launch.Faultf(launch.ConfigFault, "engine.endpoint: %w", err)
	}
	if err := x.tell(seen); err != nil {
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	if err := x.pick(seen); err != nil {
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	return nil
}

// tell finds the engine of a server that already runs. One that shows none of the
// engine that it is said to be is refused; one that does not show all, doubted.
func (x *run) tell(seen *engine.Seen) (err error) {
	name, doubt := x.exp.Engine.Name, ""
	if name == "" {
		name, x.how, doubt = seen.Tell()
	}
	if x.eng, err = engine.Lookup(name); err != nil {
		return err
	}
	if err := seen.Refuse(x.eng); err != nil {
		return err
	}
	if x.exp.Engine.Name != "" {
		doubt = seen.Doubt(x.eng)
	}
	switch {
	case doubt == "":
	case x.eng.Traits().Running:
		x.warn("engine_not_confirmed", "%s: it is measured as any server with OpenAI's API", doubt)
	default:
		x.warn("engine_not_confirmed", "%s, which every server of %s has", doubt, x.eng.Name())
	}
	return nil
}

// pick finds the model to measure among those of the server.
func (x *run) pick(seen *engine.Seen) (err error) {
	x.listed = seen.Models
	find := seen.Choose
	if !x.running() {
		find = seen.Launched
	}
	if x.served, err = find(x.exp.Model, x.exp.Engine.ServedModel); err != nil {
		return err
	}
	if x.exp.Model == "" { // it is the experiment's from here on, as if it had been named
		x.exp.Model = x.served.ID
	}
	loaded := ""
	if x.served.Loaded != "" && x.served.Loaded != x.served.ID {
		loaded = " (loaded from " + x.served.Loaded + ")"
	}
	switch x.served.By {
	case engine.ByUnlisted:
		x.warn("model_not_confirmed", "the server lists no models (%v): that it serves %s is nobody's word but the configuration's", seen.Unlisted, x.served.ID)
	case engine.ByName, engine.ByRoot, engine.ByKey:
		x.warn("model_not_confirmed", "model is %s, and the server calls what was measured %s%s%s", x.exp.Model, x.served.ID, loaded, alikeBy[x.served.By])
	}
	if x.served.By == engine.ByRoot {
		x.warnings[len(x.warnings)-1].Severity = measure.Note
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

// identityNote is how the preflight ends for a server that already runs.
func (x *run) identityNote() string {
	if x.running() {
		return fmt.Sprintf("%s (%s)", x.exp.Engine.Endpoint, x.eng.Name())
	}
	return fmt.Sprintf("%s (%s)", x.exp.Engine.Image, x.eng.Name())
}
