package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/image"

	"github.com/llenergymeasure/llem/internal/launch"
)

// Images lists the images on this host by name, once for each of their names. One
// that has only a digest left goes by that; one with neither is left out. Images
// for other platforms are among them.
func (d *daemon) Images(ctx context.Context) ([]launch.Image, error) {
	list, err := d.c.ImageList(ctx, image.ListOptions{})
	if err != nil {
		return nil, fmt.Errorf("list images: %w", err)
	}
	var out []launch.Image
	for _, i := range list {
		for _, ref := range namesOf(i) {
			img, err := d.inspect(ctx, ref)
			switch {
			case errors.Is(err, launch.ErrNoImage): // removed meanwhile
				continue
			case err != nil && !errors.Is(err, errPlatform):
				return nil, err
			}
			out = append(out, img)
		}
	}
	slices.SortFunc(out, func(a, b launch.Image) int { return cmp.Compare(a.Ref, b.Ref) })
	return out, nil
}

// namesOf are an image's names, and digests where it has no name. Old daemons
// call a missing one <none>.
func namesOf(i image.Summary) []string {
	none := func(ref string) bool { return strings.Contains(ref, "<none>") }
	if tags := slices.DeleteFunc(i.RepoTags, none); len(tags) > 0 {
		return tags
	}
	return slices.DeleteFunc(i.RepoDigests, none)
}
