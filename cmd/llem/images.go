package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
)

type imagesCmd struct {
	JSON bool `name:"json" help:"Print the images as JSON."`
}

// engineImage is an image of an engine on this host.
type engineImage struct {
	Image     string  `json:"image"`  // repository:tag
	Engine    string  `json:"engine"` // by our name for it
	ToldBy    string  `json:"told_by"`
	Digest    *string `json:"digest"` // repository@sha256:…; null where that repository has given none: it was built or named here
	ID        string  `json:"id"`
	SizeBytes int64   `json:"size_bytes"`
	Platform  string  `json:"platform"`
	Pin       string  `json:"pin"` // what engine.image must say for this very image, whatever its name stands for later
}

func (c *imagesCmd) Run(a *app) error {
	d, err := a.openLauncher(a.ctx, launch.Options{})
	if err != nil {
		return err
	}
	defer d.Close()
	all, err := d.Images(a.ctx)
	if err != nil {
		return err
	}
	list := ofEngines(all)
	switch {
	case c.JSON:
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(list)
	case len(list) == 0:
		fmt.Fprintln(a.stderr, "no image on this host is an engine's; llem run --image "+engine.Names()[0]+" pulls one, and `llem engines` lists them")
		return nil
	}
	return printImages(a, list)
}

// ofEngines are those of them that an engine can be told from.
func ofEngines(all []launch.Image) []engineImage {
	list := []engineImage{}
	for _, img := range all {
		name, how, err := engine.Detect(img)
		if err != nil {
			continue
		}
		one := engineImage{Image: img.Ref, Engine: name, ToldBy: how, ID: img.ID, SizeBytes: img.SizeBytes, Platform: img.OS + "/" + img.Architecture, Pin: img.ID}
		if img.Digest != "" {
			one.Digest, one.Pin = &img.Digest, img.Digest
		}
		list = append(list, one)
	}
	return list
}

// columns is the width that the table keeps to; a long name is cut in its middle.
const columns = 100

func printImages(a *app, list []engineImage) error {
	const others = 65 // all columns but the name, at their longest
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "IMAGE\tENGINE\tTOLD BY\tSIZE\tID\tDIGEST")
	for _, i := range list {
		digest := "local"
		if i.Digest != nil {
			_, digest, _ = strings.Cut(*i.Digest, "@sha256:")
			digest = digest[:min(12, len(digest))]
		}
		told := strings.NewReplacer("entrypoint and command", "command", "working directory", "folder", "label "+engine.Label, "label").Replace(i.ToldBy)
		id := strings.TrimPrefix(i.ID, "sha256:")
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", middle(i.Image, columns-others), i.Engine, told, sizeOf(i.SizeBytes), id[:min(12, len(id))], digest)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.stdout, `
To pin an image, let engine.image be its "pin" in llem images --json: REPOSITORY@sha256:…, or
where it was built or named here its whole id, sha256:…. A result's own: llem run --from RESULT.`)
	return err
}

// middle cuts the middle out of a text that is longer than n.
func middle(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	head := (n - 1) / 2
	return string(r[:head]) + "…" + string(r[len(r)-(n-1-head):])
}
