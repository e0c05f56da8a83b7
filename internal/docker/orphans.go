package docker

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

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
	Created              time.Time
	secrets              string
}

// Orphans lists containers with llem's label whose run nobody holds any more.
func (d *Daemon) Orphans(ctx context.Context, held func(run string) bool) ([]Orphan, error) {
	list, err := d.c.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("label", LabelRun))})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var out []Orphan
	for _, c := range list {
		run := c.Labels[LabelRun]
		if run == "" || held(run) {
			continue
		}
		o := Orphan{ID: c.ID, Run: run, State: c.State, Created: time.Unix(c.Created, 0), secrets: c.Labels[LabelSecrets]}
		if len(c.Names) > 0 {
			o.Name = strings.TrimPrefix(c.Names[0], "/")
		}
		out = append(out, o)
	}
	return out, nil
}

// Remove kills and removes an orphan and the secret that it held.
func (d *Daemon) Remove(ctx context.Context, o Orphan) error {
	if err := d.removeContainer(ctx, o.ID); err != nil {
		return err
	}
	// The label is data: only a folder of ours is removed.
	if strings.HasPrefix(filepath.Base(o.secrets), secretPrefix) && filepath.Dir(o.secrets) == filepath.Clean(os.TempDir()) {
		if err := os.RemoveAll(o.secrets); err != nil {
			return fmt.Errorf("remove the token's file: %w", err)
		}
	}
	return nil
}
