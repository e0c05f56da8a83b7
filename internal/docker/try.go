package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"

	"github.com/llenergymeasure/llem/internal/launch"
)

// TryGPUs counts the GPUs that a container sees by the nvidia-smi that NVIDIA's
// runtime brings along. See launch.Trier.
func (d *daemon) TryGPUs(ctx context.Context, img launch.Image, uuids []string, run, lock string) (seen int, err error) {
	cfg := &container.Config{
		Image: img.ID, Entrypoint: []string{"nvidia-smi"}, Cmd: []string{"-L"},
		Labels: map[string]string{labelRun: run, labelLock: lock, labelPID: strconv.Itoa(os.Getpid())},
	}
	host := &container.HostConfig{
		NetworkMode: "none", CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
		Resources: container.Resources{DeviceRequests: []container.DeviceRequest{{DeviceIDs: uuids, Capabilities: [][]string{{"gpu", "utility"}}}}},
	}
	created, err := d.c.ContainerCreate(ctx, cfg, host, nil, nil, launch.ContainerName(run))
	if err != nil {
		return 0, fmt.Errorf("create a container of %s: %w", img.Ref, err)
	}
	m := made{d.c, created.ID}
	defer func() {
		gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
		defer cancel()
		err = errors.Join(err, d.removeContainer(gone, m.id))
	}()
	watch, stop := context.WithCancel(ctx)
	defer stop()
	ended, failed := d.c.ContainerWait(watch, m.id, container.WaitConditionNextExit)
	if err := d.c.ContainerStart(ctx, m.id, container.StartOptions{}); err != nil {
		if strings.Contains(err.Error(), `exec: "nvidia-smi"`) { // after the GPUs were given
			return 0, fmt.Errorf("%w: %s", launch.ErrNoLister, img.Ref)
		}
		return 0, startError(launch.Spec{GPUs: uuids, Name: "of " + img.Ref}, err)
	}
	select {
	case e := <-ended:
		if e.StatusCode != 0 {
			return 0, fmt.Errorf("nvidia-smi in a container of %s: exit code %d: %s", img.Ref, e.StatusCode, m.tail(ctx))
		}
	case err := <-failed:
		return 0, fmt.Errorf("wait for a container of %s: %w", img.Ref, err)
	}
	var said strings.Builder
	if err := m.logs(ctx, container.LogsOptions{}, &said); err != nil {
		return 0, err
	}
	for line := range strings.Lines(said.String()) {
		if strings.HasPrefix(line, "GPU ") { // and not "  MIG "
			seen++
		}
	}
	return seen, nil
}
