package job

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
)

// findEngine resolves the image and tells the engine from it.
func (f *Finder) findEngine(ctx context.Context, j *Job) error {
	g := j.Experiment.Engine
	if g.Image == "" {
		return launch.Faultf(launch.ConfigFault, "no engine: give an image, with --image or engine.image, or a server that already runs, with --base-url or engine.endpoint")
	}
	var err error
	if j.Image, err = f.findImage(ctx, j); err != nil {
		return err
	}
	told, how, err := engine.Detect(j.Image)
	name := g.Name
	if name == "" {
		if err != nil {
			return config(err)
		}
		name, j.ToldBy = told, how
	}
	if j.Engine, err = engine.Lookup(name); err != nil {
		return config(err)
	}
	if told != "" && told != j.Engine.Name() {
		j.ToldBy = fmt.Sprintf("engine.name, against the image's %s, which says %s", how, told)
		f.Say(fmt.Sprintf("image %s is %s by its %s; it is taken for %s, as engine.name says", j.Image.Ref, told, how, j.Engine.Name()))
	}
	return nil
}

// findImage finds the image that is asked for. A bare engine name that is no
// image on this host means the engine's upstream repository.
func (f *Finder) findImage(ctx context.Context, j *Job) (launch.Image, error) {
	ref, pull := j.Experiment.Engine.Image, j.Experiment.Engine.Pull
	switch {
	case f.Pins.Again != nil:
		return f.sameImage(ctx, *f.Pins.Again, pull)
	case f.Pins.Taken != nil:
		return f.samePinned(ctx, *f.Pins.Taken)
	}
	upstream, bare := engine.Upstream(ref, j.onGPUs())
	if !bare {
		return f.Launcher.Resolve(ctx, ref, pull, f.Progress)
	}
	img, err := f.Launcher.Resolve(ctx, ref, "never", f.Progress)
	if !errors.Is(err, launch.ErrNoImage) {
		return img, err
	}
	f.Say(fmt.Sprintf("no image %s on this host: taking %s", ref, upstream))
	return f.Launcher.Resolve(ctx, upstream, pull, f.Progress)
}

// sameImage finds the very image of the run that is done again, even if its tag
// names another by now: by its digest or its id on this host, else its digest is pulled.
func (f *Finder) sameImage(ctx context.Context, was launch.Image, pull string) (launch.Image, error) {
	var err error
	for _, try := range []struct{ ref, pull string }{{was.Digest, "never"}, {was.ID, "never"}, {was.Digest, pull}} {
		if try.ref == "" {
			continue
		}
		var img launch.Image
		if img, err = f.Launcher.Resolve(ctx, try.ref, try.pull, f.Progress); err == nil {
			img.Ref, img.Digest = was.Ref, was.Digest
			return img, nil
		}
		if !errors.Is(err, launch.ErrNoImage) {
			return img, err
		}
	}
	if was.Digest == "" {
		return launch.Image{}, launch.Faultf(launch.ConfigFault, "image %s (%s) was built where that result was measured, so that it cannot be pulled, and is not on this host: bring it here with %s, or take another with --image", was.Ref, was.ID, f.Launcher.Words().Bring)
	}
	return launch.Image{}, err
}

// samePinned finds the very image that the study took on this host, even if its tag
// names another by now.
func (f *Finder) samePinned(ctx context.Context, was launch.Image) (launch.Image, error) {
	img, err := f.Launcher.Resolve(ctx, was.ID, "never", f.Progress)
	if errors.Is(err, launch.ErrNoImage) {
		return img, launch.Faultf(launch.HostFault, "image %s (%s), which the study took, is not on this host any more: resumed, the study takes what the name stands for by then", was.Ref, Short(was.ID))
	}
	img.Ref, img.Digest = was.Ref, was.Digest
	return img, err
}

// Short is the beginning of a digest, enough to tell two apart.
func Short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(12, len(digest))]
}
