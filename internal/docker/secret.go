package docker

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
)

// give writes a secret into the container, as a file that only the container's user
// may read. It goes through the daemon's archive call
// and not by a mount: a process without capabilities cannot read a 0600 file of
// another user, whoever it is, and nothing is left on the host when llem is
// killed.
func (m made) give(ctx context.Context, what, at, secret string) error {
	uid, gid, err := m.user(ctx)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	dir, name := path.Split(strings.TrimPrefix(at, "/"))
	made := ""
	for _, part := range strings.Split(strings.TrimSuffix(dir, "/"), "/") {
		made += part + "/"
		if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: made, Mode: 0o755}); err != nil {
			return fmt.Errorf("pack %s: %w", what, err)
		}
	}
	text := []byte(secret)
	if err := w.WriteHeader(&tar.Header{Name: dir + name, Mode: 0o400, Uid: uid, Gid: gid, Size: int64(len(text))}); err != nil {
		return fmt.Errorf("pack %s: %w", what, err)
	}
	if _, err := w.Write(text); err != nil {
		return fmt.Errorf("pack %s: %w", what, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("pack %s: %w", what, err)
	}
	if err := m.c.CopyToContainer(ctx, m.id, "/", &b, container.CopyToContainerOptions{}); err != nil {
		return fmt.Errorf("give the container %s: %w", what, err)
	}
	return nil
}

// user is who the container's processes run as: engine.container.user, else the
// image's. A name is looked up in the container's own /etc/passwd.
func (m made) user(ctx context.Context) (uid, gid int, err error) {
	got, err := m.c.ContainerInspect(ctx, m.id)
	if err != nil {
		return 0, 0, fmt.Errorf("inspect container: %w", err)
	}
	name, group, _ := strings.Cut(got.Config.User, ":")
	gid, _ = strconv.Atoi(group) // the file is for its user alone
	if name == "" {
		return 0, gid, nil
	}
	if uid, err := strconv.Atoi(name); err == nil {
		return uid, gid, nil
	}
	uid, err = m.lookup(ctx, name)
	if err != nil {
		return 0, 0, fmt.Errorf("the container runs as %q, who cannot be found in its /etc/passwd (%w): name the uid in engine.container.user", name, err)
	}
	return uid, gid, nil
}

func (m made) lookup(ctx context.Context, name string) (uid int, err error) {
	body, _, err := m.c.CopyFromContainer(ctx, m.id, "/etc/passwd")
	if err != nil {
		return 0, err
	}
	defer body.Close()
	r := tar.NewReader(body)
	if _, err := r.Next(); err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(io.LimitReader(r, 1<<20)); lines.Scan(); {
		if f := strings.Split(lines.Text(), ":"); len(f) > 2 && f[0] == name {
			return strconv.Atoi(f[2])
		}
	}
	return 0, fmt.Errorf("no line for %s", name)
}
