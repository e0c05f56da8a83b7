package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/meter"
)

// gpuContainers is what doctor calls the daemon's way to give GPUs, and tried what
// it calls a container that was started with them.
const (
	gpuContainers = "gpu containers"
	tried         = "gpu in container"
)

// launcherTimeout bounds all of doctor's words with the daemon, and tryTimeout a
// container that it starts.
const (
	launcherTimeout = 5 * time.Second
	tryTimeout      = time.Minute
)

func doctorLauncher(a *app) []finding {
	ctx, cancel := context.WithTimeout(a.ctx, launcherTimeout)
	defer cancel()
	row := launcher()
	var out []finding
	if seen, remedy := row.Misled(); seen != "" {
		out = append(out, finding{row.Name + " context", "lacking", seen, remedy})
	}
	d, err := a.openLauncher(ctx, launch.Options{})
	if err != nil {
		seen, remedy, _ := strings.Cut(err.Error(), "; ")
		return append(out, finding{row.Name, "broken", seen, remedy})
	}
	defer d.Close()
	i, err := d.Describe(ctx)
	if err != nil {
		return append(out, finding{row.Name, "broken", err.Error(), row.Words.Restart})
	}
	out = append(out, finding{row.Name, "ok", said("", i.Version, "API ", i.APIVersion, "runtimes ", strings.Join(i.Runtimes, " ")), ""})
	if i.Elsewhere != "" {
		return append(out, finding{row.Name + " host", "broken", "the daemon is on another machine: " + i.Elsewhere + "; the meter is here, and the GPU is there", "run llem on the host that has the GPUs; without energy it runs here with gpus: none, energy.backend: none and energy.host: none"})
	}
	orphans, _, err := d.Orphans(ctx, ownerOf)
	if err == nil && len(orphans) > 0 {
		out = append(out, finding{"left over", "lacking", fmt.Sprintf("%d containers of runs that were killed", len(orphans)), "llem clean"})
	}
	out = append(out, roomFor("disk for images", i.Root, imageSpace, row.Words.Room))
	// Only a hint: whether a container gets a GPU shows when it starts.
	if !i.GPUs {
		out = append(out, finding{gpuContainers, "lacking", row.Words.NoGPUs + " (a hint; llem doctor --try decides)", row.Words.GPUs})
	}
	return out
}

// noImages is what mends a host without an engine's image.
func noImages() string {
	return "llem pull CONFIG, or " + launcher().Words.Fetch + " " + exampleImage() + ", before the time on a GPU is taken"
}

// imagesCheck finds the engines' images, and is asked afterwards what they need.
type imagesCheck struct{ list []launch.Image }

func (c *imagesCheck) look(a *app) []finding {
	ctx, cancel := context.WithTimeout(a.ctx, launcherTimeout)
	defer cancel()
	d, err := a.openLauncher(ctx, launch.Options{})
	if err != nil {
		return nil // doctorLauncher says so
	}
	defer d.Close()
	if c.list, err = engineImages(ctx, d); err != nil {
		return []finding{{"engine images", "lacking", err.Error(), launcher().Words.List}}
	}
	if len(c.list) == 0 {
		return []finding{{"engine images", "lacking", "none on this host", noImages()}}
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
func engineImages(ctx context.Context, d launch.Library) ([]launch.Image, error) {
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
func devicesOf(a *app) []device.Device {
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
func tryContainer(a *app, list []launch.Image, devices []device.Device) finding {
	switch {
	case len(devices) == 0:
		return finding{tried, "lacking", "not tried: NVML shows no GPU", "install the NVIDIA driver; `nvidia-smi` must work"}
	case len(list) == 0:
		return finding{tried, "lacking", "not tried: no engine's image is on this host", noImages()}
	}
	ctx, cancel := context.WithTimeout(a.ctx, tryTimeout)
	defer cancel()
	d, err := a.openLauncher(ctx, launch.Options{})
	if err != nil {
		return finding{tried, "lacking", "not tried: " + err.Error(), "see " + launcher().Name + " above"}
	}
	defer d.Close()
	run := "doctor-" + strconv.Itoa(os.Getpid())
	lock, err := lease.LockRun(run, "")
	if err != nil {
		return finding{tried, "lacking", "not tried: " + err.Error(), "see the message"}
	}
	defer lock.Release()
	seen, err := d.TryGPUs(ctx, list[0], device.UUIDs(devices), run, lock.Path())
	switch {
	case errors.Is(err, launch.ErrNoLister):
		return finding{tried, "ok", fmt.Sprintf("a container of %s starts with %d; it has no nvidia-smi to list them", list[0].Ref, len(devices)), ""}
	case err != nil:
		what, remedy, _ := strings.Cut(err.Error(), "; ")
		return finding{tried, "broken", what, cmp.Or(remedy, launcher().Words.GPUs)}
	case seen != len(devices):
		return finding{tried, "broken", fmt.Sprintf("a container of %s was given %d and sees %d", list[0].Ref, len(devices), seen), launcher().Words.GPUs}
	}
	return finding{tried, "ok", fmt.Sprintf("a container of %s sees all %d", list[0].Ref, seen), ""}
}
