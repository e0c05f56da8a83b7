package docker

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/volume"

	"github.com/llenergymeasure/llem/internal/launch"
)

// lookAtCaches says before the container is created, which makes the volumes
// that are missing, whether an earlier one has left its caches.
func (s *server) lookAtCaches(ctx context.Context) {
	if len(s.spec.Caches) == 0 {
		return
	}
	for _, c := range s.spec.Caches {
		_, err := s.d.c.VolumeInspect(ctx, c.Name)
		switch {
		case errdefs.IsNotFound(err):
			s.fresh = append(s.fresh, c)
		case err != nil:
			s.d.opt.Log.Warn("look for a compile cache", "volume", c.Name, "error", err)
			return // unknown
		}
	}
	s.info.CompileCache = launch.CacheWarm
	if len(s.fresh) > 0 {
		s.info.CompileCache = launch.CacheCold
	}
}

// giveCaches gives new volumes, which are root's, to the container's user.
func (s *server) giveCaches(ctx context.Context) error {
	if len(s.fresh) == 0 {
		return nil
	}
	uid, gid, err := s.user(ctx)
	if err != nil || uid == 0 {
		return err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, c := range s.fresh {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(c.Target, "/") + "/", Mode: 0o755, Uid: uid, Gid: gid}); err != nil {
			return fmt.Errorf("pack the folders of caches: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack the folders of caches: %w", err)
	}
	if err := s.d.c.CopyToContainer(ctx, s.id, "/", &b, container.CopyToContainerOptions{}); err != nil {
		return fmt.Errorf("give the container its caches: %w", err)
	}
	return nil
}

// dropCaches removes the volumes of a container that was never ready: they hold
// nothing that would make the next start a warm one.
func (s *server) dropCaches(ctx context.Context) {
	if !s.info.ReadyAt.IsZero() {
		return
	}
	for _, c := range s.fresh {
		if err := s.d.c.VolumeRemove(ctx, c.Name, false); err != nil && !errdefs.IsNotFound(err) {
			s.d.opt.Log.Debug("keep a compile cache", "volume", c.Name, "error", err)
		}
	}
}

// Caches lists the volumes of compile caches by name.
func (d *Daemon) Caches(ctx context.Context) ([]launch.Volume, error) {
	list, err := d.c.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", LabelCache))})
	if err != nil {
		return nil, fmt.Errorf("list volumes: %w", err)
	}
	if len(list.Volumes) == 0 {
		return nil, nil
	}
	// Sizes are the disk usage's alone to tell; without them there is still a list.
	usage, err := d.c.DiskUsage(ctx, types.DiskUsageOptions{Types: []types.DiskUsageObject{types.VolumeObject}})
	if err != nil {
		d.opt.Log.Debug("sizes of volumes", "error", err)
	}
	sizes := map[string]int64{}
	for _, v := range usage.Volumes {
		if v.UsageData != nil {
			sizes[v.Name] = v.UsageData.Size
		}
	}
	var out []launch.Volume
	for _, v := range list.Volumes {
		size, known := sizes[v.Name]
		if !known {
			size = -1
		}
		used, err := d.usersOf(ctx, v.Name)
		if err != nil {
			return nil, err
		}
		out = append(out, launch.Volume{Name: v.Name, Engine: v.Labels[LabelCache], SizeBytes: size, UsedBy: used})
	}
	slices.SortFunc(out, func(a, b launch.Volume) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// usersOf names the containers that mount a volume.
func (d *Daemon) usersOf(ctx context.Context, name string) ([]string, error) {
	list, err := d.c.ContainerList(ctx, container.ListOptions{All: true, Filters: filters.NewArgs(filters.Arg("volume", name))})
	if err != nil {
		return nil, fmt.Errorf("list containers: %w", err)
	}
	var out []string
	for _, c := range list {
		out = append(out, strings.TrimPrefix(append(c.Names, c.ID)[0], "/"))
	}
	return out, nil
}

// RemoveCache removes a volume that no container uses.
func (d *Daemon) RemoveCache(ctx context.Context, v launch.Volume) error {
	if len(v.UsedBy) > 0 {
		return fmt.Errorf("remove cache %s: container %s uses it; wait for its run, or remove it (docker rm)", v.Name, strings.Join(v.UsedBy, ", "))
	}
	if err := d.c.VolumeRemove(ctx, v.Name, false); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove cache %s: %w", v.Name, err)
	}
	return nil
}
