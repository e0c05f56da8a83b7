package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/docker"
	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/harness"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter"
)

// gpuContainers is what doctor calls the daemon's way to give GPUs, and tried what
// it calls a container that was started with them.
const (
	gpuContainers = "gpu containers"
	tried         = "gpu in container"
)

// dockerTimeout bounds all of doctor's words with the daemon, and tryTimeout a
// container that it starts.
const (
	dockerTimeout = 5 * time.Second
	tryTimeout    = time.Minute
)

// toolkit mends a daemon that cannot give GPUs.
const toolkit = "install nvidia-container-toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"

func doctorDocker(a *app) []finding {
	ctx, cancel := context.WithTimeout(a.ctx, dockerTimeout)
	defer cancel()
	var out []finding
	if name := docker.Context(); name != "" {
		out = append(out, finding{"docker context", "lacking", fmt.Sprintf("the docker command uses the context %q, and llem does not", name), fmt.Sprintf("export DOCKER_HOST=$(docker context inspect %s --format '{{.Endpoints.docker.Host}}')", name)})
	}
	d, err := docker.Open(ctx, a.log)
	if err != nil {
		seen, remedy, _ := strings.Cut(err.Error(), "; ")
		return append(out, finding{"docker", "broken", seen, remedy})
	}
	defer d.Close()
	i, err := d.Describe(ctx)
	if err != nil {
		return append(out, finding{"docker", "broken", err.Error(), "restart the daemon: sudo systemctl restart docker"})
	}
	out = append(out, finding{"docker", "ok", said("", i.Version, "API ", i.APIVersion, "runtimes ", strings.Join(i.Runtimes, " ")), ""})
	if i.Elsewhere != "" {
		return append(out, finding{"docker host", "broken", "the daemon is on another machine: " + i.Elsewhere + "; the meter is here, and the GPU is there", "run llem on the host that has the GPUs; without energy it runs here with gpus: none, energy.backend: none and energy.host: none"})
	}
	orphans, _, err := d.Orphans(ctx, ownerOf)
	if err == nil && len(orphans) > 0 {
		out = append(out, finding{"left over", "lacking", fmt.Sprintf("%d containers of runs that were killed", len(orphans)), "llem clean"})
	}
	out = append(out, roomFor("disk for images", i.Root, imageSpace, "docker image prune, or move data-root (/etc/docker/daemon.json) to a larger disk"))
	// Only a hint: whether a container gets a GPU shows when it starts.
	if !slices.Contains(i.Runtimes, "nvidia") && !i.CDI {
		out = append(out, finding{gpuContainers, "lacking", "the daemon lists neither an nvidia runtime nor CDI (a hint; llem doctor --try decides)", toolkit})
	}
	return out
}

// noImages is what mends a host without an engine's image.
var noImages = "llem pull CONFIG, or docker pull " + exampleImage() + ", before the time on a GPU is taken"

// imagesCheck finds the engines' images, and is asked afterwards what they need.
type imagesCheck struct{ list []launch.Image }

func (c *imagesCheck) look(a *app) []finding {
	ctx, cancel := context.WithTimeout(a.ctx, dockerTimeout)
	defer cancel()
	d, err := docker.Open(ctx, a.log)
	if err != nil {
		return nil // doctorDocker says so
	}
	defer d.Close()
	if c.list, err = engineImages(ctx, d); err != nil {
		return []finding{{"engine images", "lacking", err.Error(), "see docker images"}}
	}
	if len(c.list) == 0 {
		return []finding{{"engine images", "lacking", "none on this host", noImages}}
	}
	return []finding{{"engine images", "ok", fmt.Sprintf("%d on this host; llem images lists them", len(c.list)), ""}}
}

// fit holds what the images need of the driver against what it has, and with try
// starts a container with the GPUs. It comes after the other checks: one of them
// holds the process's session with NVML, and another would take the container for
// one that is left over.
func (c *imagesCheck) fit(a *app, try bool) []finding {
	var out []finding
	devices := devicesOf(a)
	for _, img := range c.list {
		if len(devices) == 0 {
			break
		}
		driver, cuda := devices[0].Driver, devices[0].CUDA // one driver drives all
		if need, ok := fitsDriver(img.Env, driver, cuda); !ok {
			out = append(out, finding{"cuda", "lacking", fmt.Sprintf("%s needs %s, and the driver %s has CUDA %s", img.Ref, need, driver, cuda), "update the driver, or take an image for CUDA " + cuda + " or older"})
		}
	}
	if try {
		out = append(out, tryContainer(a, c.list, devices))
	}
	return out
}

// engineImages are the images on this host that are an engine's, each once.
func engineImages(ctx context.Context, d *docker.Daemon) ([]launch.Image, error) {
	all, err := d.Images(ctx)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(all, func(img launch.Image) bool {
		_, _, err := engine.Detect(img)
		again := seen[img.ID]
		seen[img.ID] = seen[img.ID] || err == nil
		return err != nil || again
	}), nil
}

// devicesOf are the GPUs that NVML shows; none where it cannot be opened, which
// doctorGPUs says.
func devicesOf(a *app) []measure.Device {
	n, err := meter.Open()
	if err != nil {
		return nil
	}
	defer n.Close() //nolint:errcheck // nothing was written
	devices, err := n.Devices(a.ctx)
	if err != nil {
		return nil
	}
	return devices
}

// tryContainer starts a container with this host's GPUs, from the first image.
func tryContainer(a *app, list []launch.Image, devices []measure.Device) finding {
	switch {
	case len(devices) == 0:
		return finding{tried, "lacking", "not tried: NVML shows no GPU", "install the NVIDIA driver; `nvidia-smi` must work"}
	case len(list) == 0:
		return finding{tried, "lacking", "not tried: no engine's image is on this host", noImages}
	}
	ctx, cancel := context.WithTimeout(a.ctx, tryTimeout)
	defer cancel()
	d, err := docker.Open(ctx, a.log)
	if err != nil {
		return finding{tried, "lacking", "not tried: " + err.Error(), "see docker above"}
	}
	defer d.Close()
	uuids := make([]string, len(devices))
	for i, g := range devices {
		uuids[i] = g.UUID
	}
	run := "doctor-" + strconv.Itoa(os.Getpid())
	lock, err := harness.LockRun(run, "")
	if err != nil {
		return finding{tried, "lacking", "not tried: " + err.Error(), "see the message"}
	}
	defer lock.Release()
	seen, err := d.TryGPUs(ctx, list[0], uuids, run, lock.Path())
	switch {
	case errors.Is(err, docker.ErrNoLister):
		return finding{tried, "ok", fmt.Sprintf("a container of %s starts with %d; it has no nvidia-smi to list them", list[0].Ref, len(uuids)), ""}
	case err != nil:
		what, remedy, _ := strings.Cut(err.Error(), "; ")
		return finding{tried, "broken", what, orElse(remedy, toolkit)}
	case seen != len(uuids):
		return finding{tried, "broken", fmt.Sprintf("a container of %s was given %d and sees %d", list[0].Ref, len(uuids), seen), toolkit}
	}
	return finding{tried, "ok", fmt.Sprintf("a container of %s sees all %d", list[0].Ref, seen), ""}
}
