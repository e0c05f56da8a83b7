package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/docker/docker/client"

	"github.com/llenergymeasure/llem/internal/launch"
)

// Labels of llem's containers.
const (
	labelRun        = "io.llem.run"
	labelLock       = "io.llem.lock" // file that the run holds while it lives
	labelExperiment = "io.llem.experiment"
	labelPID        = "io.llem.pid"
	labelGPUs       = "io.llem.gpus"
	labelCache      = "io.llem.cache" // of volumes: the engine whose compile cache it is
)

// States of a host that is not ready.
var (
	errUnavailable  = launch.Mark(launch.ErrAway, errors.New("no Docker daemon answers"))
	errPermission   = launch.Mark(launch.ErrHost, errors.New("no permission for the Docker daemon's socket"))
	errNoGPURuntime = launch.Mark(launch.ErrHost, errors.New("the Docker daemon cannot give GPUs to containers"))
)

var _ launch.Daemon = (*daemon)(nil)

// daemon is a Docker daemon on this host.
type daemon struct {
	c   *client.Client
	opt launch.Options
}

// pingTimeout bounds the first word with the daemon.
const pingTimeout = 10 * time.Second

// reach finds the daemon that DOCKER_HOST names, else the local one; Docker's
// contexts are the docker command's alone. Close it.
func reach(ctx context.Context, opt launch.Options) (*daemon, error) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	if err := near(ctx, os.Getenv(client.EnvOverrideHost)); err != nil {
		return nil, err
	}
	c, err := client.NewClientWithOpts(client.FromEnv, client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("%w: %v; check DOCKER_HOST", errUnavailable, err)
	}
	if _, err := c.Ping(ctx); err != nil {
		c.Close()
		return nil, unreachable(c.DaemonHost(), err)
	}
	return &daemon{c: c, opt: opt}, nil
}

// lost is err, said as errUnavailable where the daemon has gone.
func (d *daemon) lost(err error) error {
	if client.IsErrConnectionFailed(err) {
		return unreachable(d.c.DaemonHost(), err)
	}
	return err
}

// Close ends the session with the daemon.
func (d *daemon) Close() error { return d.c.Close() }

// Describe asks the daemon what it is.
func (d *daemon) Describe(ctx context.Context) (launch.DaemonInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	v, err := d.c.ServerVersion(ctx)
	if err != nil {
		return launch.DaemonInfo{}, fmt.Errorf("ask the daemon its version: %w", err)
	}
	i, err := d.c.Info(ctx)
	if err != nil {
		return launch.DaemonInfo{}, fmt.Errorf("ask the daemon for its runtimes: %w", err)
	}
	_, nvidia := i.Runtimes["nvidia"]
	return launch.DaemonInfo{
		Version: v.Version, APIVersion: d.c.ClientVersion(), Runtimes: slices.Sorted(maps.Keys(i.Runtimes)),
		GPUs: nvidia || slices.ContainsFunc(i.CDISpecDirs, specifiesGPUs), Root: i.DockerRootDir, Elsewhere: elsewhere(i.KernelVersion),
	}, nil
}

// specifiesGPUs says whether a folder of CDI specifications has one of NVIDIA GPUs;
// the daemon has such folders by default, empty ones too.
func specifiesGPUs(dir string) bool {
	files, _ := filepath.Glob(filepath.Join(dir, "*")) // no pattern of ours is bad
	return slices.ContainsFunc(files, func(path string) bool {
		data, err := os.ReadFile(path)
		return err == nil && bytes.Contains(data, []byte("nvidia.com/gpu"))
	})
}

// hostPlatform is what an image must be built for.
func hostPlatform() (system, arch string) { return "linux", runtime.GOARCH }
