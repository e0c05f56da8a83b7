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
// that are missing, which of its caches no container had before. state is empty
// where there are none, or that is unknown.
func lookAtCaches(ctx context.Context, d *daemon, caches []launch.Cache) (fresh []launch.Cache, state string) {
	for _, c := range caches {
		_, err := d.c.VolumeInspect(ctx, c.Name)
		switch {
		case errdefs.IsNotFound(err):
			fresh = append(fresh, c)
		case err != nil:
			d.opt.Log.Warn("look for a compile cache", "volume", c.Name, "error", err)
			return fresh, ""
		}
	}
	switch {
	case len(fresh) > 0:
		return fresh, launch.CacheCold
	case len(caches) > 0:
		return nil, launch.CacheWarm
	}
	return nil, ""
}

// giveCaches gives new volumes, which are root's, to the container's user.
func (m made) giveCaches(ctx context.Context, fresh []launch.Cache) error {
	if len(fresh) == 0 {
		return nil
	}
	uid, gid, err := m.user(ctx)
	if err != nil || uid == 0 {
		return err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, c := range fresh {
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: strings.TrimPrefix(c.Target, "/") + "/", Mode: 0o755, Uid: uid, Gid: gid}); err != nil {
			return fmt.Errorf("pack the folders of caches: %w", err)
		}
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack the folders of caches: %w", err)
	}
	if err := m.c.CopyToContainer(ctx, m.id, "/", &b, container.CopyToContainerOptions{}); err != nil {
		return fmt.Errorf("give the container its caches: %w", err)
	}
	return nil
}

// dropCaches removes new volumes.
func dropCaches(ctx context.Context, d *daemon, fresh []launch.Cache) {
	for _, c := range fresh {
		if err := d.c.VolumeRemove(ctx, c.Name, false); err != nil && !errdefs.IsNotFound(err) {
			d.opt.Log.Debug("keep a compile cache", "volume", c.Name, "error", err)
		}
	}
}

// Caches lists the volumes of compile caches by name.
func (d *daemon) Caches(ctx context.Context) ([]launch.Volume, error) {
	list, err := d.c.VolumeList(ctx, volume.ListOptions{Filters: filters.NewArgs(filters.Arg("label", labelCache))})
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
		out = append(out, launch.Volume{Name: v.Name, Engine: v.Labels[labelCache], SizeBytes: size, UsedBy: used})
	}
	slices.SortFunc(out, func(a, b launch.Volume) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}

// usersOf names the containers that mount a volume.
func (d *daemon) usersOf(ctx context.Context, name string) ([]string, error) {
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
func (d *daemon) RemoveCache(ctx context.Context, v launch.Volume) error {
	if len(v.UsedBy) > 0 {
		return fmt.Errorf("remove cache %s: container %s uses it; wait for its run, or remove it (docker rm)", v.Name, strings.Join(v.UsedBy, ", "))
	}
	if err := d.c.VolumeRemove(ctx, v.Name, false); err != nil && !errdefs.IsNotFound(err) {
		return fmt.Errorf("remove cache %s: %w", v.Name, err)
	}
	return nil
}
