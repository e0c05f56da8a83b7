package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
)

// findServer tells what is measured, and that it can be.
func (x *run) findServer(ctx context.Context) error {
	if err := x.findKey(); err != nil {
		return err
	}
	find := x.findEngine
	if x.running() {
		find = x.findEndpoint
	}
	if err := find(ctx); err != nil {
		return err
	}
	x.shareKey()
	if err := x.findFiles(ctx); err != nil || x.running() {
		return err
	}
	if _, err := x.spec(); err != nil { // pure, so that what an engine cannot do fails here
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	return nil
}

// findEngine resolves the image and tells the engine from it.
func (x *run) findEngine(ctx context.Context) error {
	if x.exp.Engine.Image == "" {
		return launch.Faultf(launch.ConfigFault, "no engine: give an image, with --image or engine.image, or a server that already runs, with --base-url or engine.endpoint")
	}
	var err error
	if x.image, err = x.findImage(ctx); err != nil {
		return err
	}
	told, how, err := engine.Detect(x.image)
	name := x.exp.Engine.Name
	if name == "" {
		if err != nil {
			return &launch.Fault{Kind: launch.ConfigFault, Err: err}
		}
		name, x.how = told, how
	}
	if x.eng, err = engine.Lookup(name); err != nil {
		return &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	if told != "" && told != x.eng.Name() {
		x.how = fmt.Sprintf("engine.name, against the image's %s, which says %s", how, told)
		x.Observer.Say(fmt.Sprintf("image %s is %s by its %s; it is taken for %s, as engine.name says", x.image.Ref, told, how, x.eng.Name()))
	}
	return nil
}

// onGPUs says whether the engine is to have GPUs; a plan may be for those of
// another host.
func (x *run) onGPUs() bool {
	return len(x.devices) > 0 || x.exp.GPUs.Mode == "list" || x.exp.Parallel.Size() > 1
}

// findImage finds the image that is asked for. A bare engine name that is no
// image on this host means the engine's upstream repository.
func (x *run) findImage(ctx context.Context) (launch.Image, error) {
	if x.SameImage {
		return x.sameImage(ctx)
	}
	if img, ok := x.pinned(); ok {
		return x.samePinned(ctx, img)
	}
	ref, pull := x.exp.Engine.Image, x.exp.Engine.Pull
	upstream, bare := engine.Upstream(ref, x.onGPUs())
	if !bare {
		return x.Launcher.Resolve(ctx, ref, pull, x.Observer.Progress)
	}
	img, err := x.Launcher.Resolve(ctx, ref, "never", x.Observer.Progress)
	if !errors.Is(err, launch.ErrNoImage) {
		return img, err
	}
	x.Observer.Say(fmt.Sprintf("no image %s on this host: taking %s", ref, upstream))
	return x.Launcher.Resolve(ctx, upstream, pull, x.Observer.Progress)
}

// toldBy says how the engine was told, and whether the server said the same.
func (x *run) toldBy() string {
	how := x.how
	if how == "" {
		how = "engine.name"
	}
	if x.info.Engine == x.eng.Name() {
		how += ", and the server's own word"
	}
	return how
}

// tokenFile is where a container finds the Hugging Face token.
const tokenFile = "/run/secrets/llem/hf_token"

// engineHost is what the engine needs to know to start, and to load its model.
func (x *run) engineHost() engine.Host {
	h := engine.Host{Image: x.image, GPUs: lease.UUIDs(x.devices), Model: x.model, LongestPrompt: x.prompts.longest(), Kept: x.keeping()}
	if x.HFToken && x.online() {
		h.TokenFile = tokenFile
	}
	return h
}

// online says that the engine may ask the hub, and so needs the token: where its
// model is not mounted though it is the hub's, or where engine.env takes it off the
// offline mode that llem sets.
func (x *run) online() bool {
	off, set := x.exp.Engine.Env["HF_HUB_OFFLINE"]
	return set && !truth[strings.ToLower(off)] || x.model.Path == "" && !x.eng.Traits().OwnNames && !x.fetches
}

// truth is what huggingface_hub takes for yes.
var truth = map[string]bool{"1": true, "on": true, "yes": true, "true": true}

// spec is the container to start, with the names of this run.
func (x *run) spec() (launch.Spec, error) {
	s, err := x.eng.Spec(x.exp, x.engineHost())
	if err != nil {
		return s, fmt.Errorf("engine %s: %w", x.eng.Name(), err)
	}
	if x.sent.key != "" {
		if err := engine.GiveKey(x.eng, x.exp, &s, x.sent.key, x.sent.from); err != nil {
			return s, err
		}
	}
	x.overridden, x.leftOut = s.Overridden, s.LeftOut
	s.Run, s.Lock, s.Experiment, s.PID = x.id, x.lockFile(), x.exp.ConfigHash(), os.Getpid()
	s.Name, s.ReadOnly = launch.ContainerName(x.id), x.eng.Traits().ReadOnly
	return s, nil
}
