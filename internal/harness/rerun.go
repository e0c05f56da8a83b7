package harness

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/result"
)

// sameImage finds the very image of the run that is done again, whatever its tag
// names by now: by its digest or its id on this host, else its digest is pulled.
func (x *run) sameImage(ctx context.Context) (launch.Image, error) {
	was, digest := x.From.Engine, ""
	if was.ImageDigest != nil {
		digest = *was.ImageDigest
	}
	var err error
	for _, try := range []struct{ ref, pull string }{{digest, "never"}, {was.ImageID, "never"}, {digest, x.exp.Engine.Pull}} {
		if try.ref == "" {
			continue
		}
		var img launch.Image
		if img, err = x.Launcher.Resolve(ctx, try.ref, try.pull, x.Observer.Progress); err == nil {
			img.Ref, img.Digest = was.Image, digest
			return img, nil
		}
		if !errors.Is(err, launch.ErrNoImage) {
			return img, err
		}
	}
	if digest == "" {
		return launch.Image{}, launch.Faultf(launch.ConfigFault, "image %s (%s) was built where that result was measured, so that it cannot be pulled, and is not on this host: bring it here with docker save and docker load, or take another with --image", was.Image, was.ImageID)
	}
	return launch.Image{}, err
}

// differences are what the run that is done again was measured with, and this one
// is not.
func (x *run) differences() []string {
	was, now := x.From, x.environment()
	var out []string
	add := func(what, then, now string) {
		if then != now {
			out = append(out, fmt.Sprintf("%s: then %s, now %s", what, orText(then, "unknown"), orText(now, "unknown")))
		}
	}
	add("llem", was.LlemVersion, x.Version)
	add("config_hash", short(was.ConfigHash), short(x.exp.ConfigHash()))
	add("workload_hash (what is sent)", short(was.WorkloadHash), short(x.exp.WorkloadHash(x.prompts.file())))
	add("image id", short(was.Engine.ImageID), short(x.image.ID))
	model := x.modelRecord()
	if r := model.Revision; was.Model.Revision != nil && r != nil {
		add("model revision", *was.Model.Revision, *r)
	}
	if f := model.Fingerprint; was.Model.Fingerprint != nil && f != nil {
		add("model files (fingerprint)", short(*was.Model.Fingerprint), short(*f))
	}
	e := was.Environment
	add("host", e.Host.Hostname, now.Host.Hostname)
	add("CPU", e.Host.CPU, now.Host.CPU)
	add("kernel", e.Host.Kernel, now.Host.Kernel)
	add("Docker", e.Docker.Version, now.Docker.Version)
	add("GPUs", gpuNames(e.GPUs), gpuNames(now.GPUs))
	for i := range min(len(e.GPUs), len(now.GPUs)) {
		then, now, n := e.GPUs[i], now.GPUs[i], now.GPUs[i].Index
		add(fmt.Sprintf("GPU %d driver", n), then.Driver, now.Driver)
		add(fmt.Sprintf("GPU %d power limit", n), limit(then), limit(now))
	}
	return out
}

// sayDifferences tells people of them.
func (x *run) sayDifferences() {
	if x.From == nil {
		return
	}
	list := x.differences()
	for _, d := range list {
		x.Observer.Say("differs: " + d)
	}
	if len(list) == 0 {
		x.Observer.Say("all that a record keeps of the host, the image and the work is as it was then")
	}
}

func gpuNames(list []result.GPU) string {
	names := make([]string, len(list))
	for i, g := range list {
		names[i] = g.Name
	}
	return orText(strings.Join(names, ", "), "none")
}

func limit(g result.GPU) string {
	if g.PowerLimitW == nil {
		return ""
	}
	return fmt.Sprintf("%.0f W", *g.PowerLimitW)
}

// short is the beginning of a digest, enough to tell two apart.
func short(digest string) string {
	digest = strings.TrimPrefix(digest, "sha256:")
	return digest[:min(12, len(digest))]
}
