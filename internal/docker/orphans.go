package docker

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/go-connections/nat"
)

// errRefused is how a host says that nothing listens.
const errRefused = syscall.ECONNREFUSED

func portOf(port int) nat.Port { return nat.Port(fmt.Sprintf("%d/tcp", port)) }

// Orphan is a container of llem's whose run is gone.
type Orphan struct {
	ID, Name, Run, State string
	Lock                 string // the file that its owner held
	Created              time.Time
}

// Orphans lists containers with llem's labels whose run's lock nobody holds any
// more. The lock is the container's own, so that another user's, whose locks lie
// elsewhere, is spared.
func (d *Daemon) Orphans(ctx context.Context, held func(lock string) bool) ([]Orphan, error) {
	list, err := d.c.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", LabelRun))})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var out []Orphan
	for _, c := range list {
		run, lock := c.Labels[LabelRun], c.Labels[LabelLock]
		if run == "" || lock == "" || held(lock) {
			continue
		}
		o := Orphan{ID: c.ID, Run: run, Lock: lock, State: c.State, Created: time.Unix(c.Created, 0)}
		if len(c.Names) > 0 {
			o.Name = strings.TrimPrefix(c.Names[0], "/")
		}
		out = append(out, o)
	}
	return out, nil
}

// Remove kills and removes an orphan.
func (d *Daemon) Remove(ctx context.Context, o Orphan) error { return d.removeContainer(ctx, o.ID) }

// removeContainer kills and removes a container, or waits until another that does so
// has done it.
func (d *Daemon) removeContainer(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, removeTimeout)
	defer cancel()
	for {
		err := d.c.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
		switch {
		case err == nil, errdefs.IsNotFound(err):
			return nil
		case !errdefs.IsConflict(err):
			return fmt.Errorf("remove container %.12s: %w", id, err)
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("remove container %.12s: %w", id, err)
		}
	}
}
