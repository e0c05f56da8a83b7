package docker

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/go-connections/nat"

	"github.com/llenergymeasure/llem/internal/launch"
)

// errRefused is how a host says that nothing listens.
const errRefused = syscall.ECONNREFUSED

func portOf(port int) nat.Port { return nat.Port(fmt.Sprintf("%d/tcp", port)) }

// Orphans lists the containers that dead runs have left, and those that look like
// it and are left alone. Labels do not make a container llem's: an image that is
// committed from one hands them on. It must have the name that its run gave it, and
// not its labels from its image; and the lock of its run must be there, which
// nobody holds. A container that does not run needs no lock: it does nothing.
func (d *daemon) Orphans(ctx context.Context, owner func(lock string) launch.Owner) (left []launch.Orphan, spared []launch.Spared, err error) {
	list, err := d.c.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", labelRun))})
	if err != nil {
		return nil, nil, fmt.Errorf("list containers: %w", err)
	}
	for _, c := range list {
		o := launch.Orphan{ID: c.ID, Run: c.Labels[labelRun], Lock: c.Labels[labelLock], State: c.State, Created: time.Unix(c.Created, 0)}
		o.Name = strings.TrimPrefix(append(c.Names, short(c.ID))[0], "/")
		named := slices.Contains(c.Names, "/"+launch.ContainerName(o.Run))
		why := ""
		switch who := owner(o.Lock); {
		case who == launch.Living || !d.exists(ctx, o.ID):
			continue
		case !named || o.Lock == "":
			why = fmt.Sprintf("it has the labels of run %s and not its name %s: its image was made of a container of llem's", o.Run, launch.ContainerName(o.Run))
		case d.inherits(ctx, c.ImageID, o.Run):
			why = fmt.Sprintf("its image %s hands the labels of run %s on", c.Image, o.Run)
		case who == launch.Elsewhere:
			why = fmt.Sprintf("its run's lock is in another folder: LLEM_LOCK_DIR=%s llem clean removes it", filepath.Dir(o.Lock))
		case who == launch.Unknown && o.State == "running":
			why = fmt.Sprintf("it runs, and its run's lock %s is not there: a llem that has other folders, such as one in a container, may own it; if none does: docker rm -f %s", o.Lock, o.Name)
		}
		if why != "" {
			spared = append(spared, launch.Spared{Name: o.Name, Why: why})
			continue
		}
		left = append(left, o)
	}
	return left, spared, nil
}

// exists says whether a container that is listed can be found: Docker lists one
// before it is made, and may list one for ever whose making was cut off.
func (d *daemon) exists(ctx context.Context, id string) bool {
	_, err := d.c.ContainerInspect(ctx, id)
	return !errdefs.IsNotFound(err)
}

func short(id string) string { return id[:min(12, len(id))] }

// inherits says whether an image itself has the label of a run. One that has gone
// cannot be asked: its containers have their names.
func (d *daemon) inherits(ctx context.Context, imageID, run string) bool {
	got, err := d.c.ImageInspect(ctx, imageID)
	return err == nil && got.Config != nil && got.Config.Labels[labelRun] == run
}

// Remove kills and removes an orphan.
func (d *daemon) Remove(ctx context.Context, o launch.Orphan) error {
	return d.removeContainer(ctx, o.ID)
}

// removeContainer kills and removes a container, or waits until another that does so
// has done it.
func (d *daemon) removeContainer(ctx context.Context, id string) error {
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
