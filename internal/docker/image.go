package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"

	"github.com/llenergymeasure/llem/internal/launch"
)

// States of an image that cannot be run.
var (
	errPlatform  = launch.Mark(launch.ErrImage, errors.New("image is for another platform"))
	errImageName = launch.Mark(launch.ErrImage, errors.New("not an image name"))
)

// Resolve finds an image by name, pulling it as pull says (missing, always,
// never), and refuses one that this host cannot run. progress is told bytes
// done and expected.
func (d *daemon) Resolve(ctx context.Context, ref, pull string, progress func(done, total int64)) (launch.Image, error) {
	img, err := d.resolve(ctx, ref, pull, progress)
	return img, d.lost(err)
}

func (d *daemon) resolve(ctx context.Context, ref, pull string, progress func(done, total int64)) (launch.Image, error) {
	named, err := reference.ParseDockerRef(ref)
	byID := strings.HasPrefix(ref, "sha256:")
	if err != nil && !byID {
		return launch.Image{}, fmt.Errorf("%w: %q: %v", errImageName, ref, err)
	}
	if pull == "always" && !byID {
		if err := d.pull(ctx, named.String(), progress); err != nil {
			return launch.Image{}, err
		}
	}
	img, err := d.inspect(ctx, ref)
	if err == nil || !errors.Is(err, launch.ErrNoImage) {
		return img, err
	}
	switch {
	case pull == "never":
		return img, fmt.Errorf("%w on this host, and engine.pull is never: docker pull %s", err, ref)
	case byID:
		return img, err
	}
	if err := d.pull(ctx, named.String(), progress); err != nil {
		return img, err
	}
	return d.inspect(ctx, ref)
}

func (d *daemon) inspect(ctx context.Context, ref string) (launch.Image, error) {
	got, err := d.c.ImageInspect(ctx, ref)
	if errdefs.IsNotFound(err) {
		return launch.Image{}, fmt.Errorf("%w: %s", launch.ErrNoImage, ref)
	}
	if err != nil {
		return launch.Image{}, fmt.Errorf("inspect image %s: %w", ref, err)
	}
	img := launch.Image{Ref: ref, ID: got.ID, Digest: digestOf(ref, got.RepoDigests), Architecture: got.Architecture, OS: got.Os, SizeBytes: got.Size}
	if c := got.Config; c != nil {
		img.Labels, img.Entrypoint, img.Cmd, img.Env, img.User = c.Labels, c.Entrypoint, c.Cmd, c.Env, c.User
		img.WorkingDir = c.WorkingDir
	}
	if system, arch := hostPlatform(); got.Os != system || got.Architecture != arch {
		return img, fmt.Errorf("%w: %s is %s/%s and this host is %s/%s; pull one for it: docker pull --platform %s/%s %s",
			errPlatform, ref, got.Os, got.Architecture, system, arch, system, arch, ref)
	}
	return img, nil
}

// digestOf picks the digest of ref's own repository.
func digestOf(ref string, digests []string) string {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return ""
	}
	for _, d := range digests {
		if other, err := reference.ParseNormalizedNamed(d); err == nil && other.Name() == named.Name() {
			return d
		}
	}
	return ""
}

// pull fetches an image. That it was interrupted is no fault of the image's.
func (d *daemon) pull(ctx context.Context, ref string, progress func(done, total int64)) error {
	say := d.opt.Say
	if say == nil {
		say = func(string) {}
	}
	say("pulling " + ref)
	begun := time.Now()
	body, err := d.c.ImagePull(ctx, ref, image.PullOptions{})
	if err != nil {
		err = pullError(ref, err.Error())
	} else {
		err = follow(body, ref, progress)
		body.Close()
	}
	if ctx.Err() != nil {
		return fmt.Errorf("pull %s: %w", ref, ctx.Err())
	}
	if err == nil {
		say(fmt.Sprintf("pulled %s in %.0f s", ref, time.Since(begun).Seconds()))
	}
	return err
}

// follow reads the daemon's progress to its end; an error inside the stream is
// one.
func follow(body io.Reader, ref string, progress func(done, total int64)) error {
	type message struct {
		ID     string `json:"id"`
		Error  string `json:"error"`
		Detail struct {
			Current int64 `json:"current"`
			Total   int64 `json:"total"`
		} `json:"progressDetail"`
		Status string `json:"status"`
	}
	layers := map[string][2]int64{}
	for dec := json.NewDecoder(body); ; {
		var m message
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%w: pull %s: the daemon's answer broke off: %w", errRegistry, ref, err)
		}
		if m.Error != "" {
			return pullError(ref, m.Error)
		}
		if m.Status == "Downloading" && m.Detail.Total > 0 {
			layers[m.ID] = [2]int64{m.Detail.Current, m.Detail.Total}
			var done, total int64
			for _, l := range layers {
				done, total = done+l[0], total+l[1]
			}
			progress(done, total)
		}
	}
}

// errRegistry is a registry that cannot be reached.
var errRegistry = launch.Mark(launch.ErrAway, errors.New("the image's registry cannot be reached"))

// unreached are the words of daemons about a network that does not answer.
var unreached = []string{"no such host", "connection refused", "i/o timeout", "network is unreachable", "TLS handshake timeout", "Client.Timeout exceeded", "server misbehaving", "no route to host", "unexpected EOF", "connection reset by peer"}

func pullError(ref, why string) error {
	if slices.ContainsFunc(unreached, func(w string) bool { return strings.Contains(why, w) }) {
		return fmt.Errorf("%w: pull %s: %s; try again when it can, or bring the image here with docker save and docker load", errRegistry, ref, strings.TrimSpace(why))
	}
	return fmt.Errorf("%w: %s is not on this host and cannot be pulled: %s; check the name, `docker login`, or build it", launch.ErrNoImage, ref, strings.TrimSpace(why))
}
