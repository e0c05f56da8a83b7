package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/llenergymeasure/llem/internal/dataset"
)

// DataFile is a file of a dataset on this host.
type DataFile struct {
	Path   string
	Commit string
}

// datasetName is hf:owner/name[@revision][/path].
// A revision of several names is the hub's own.
var datasetName = regexp.MustCompile(`^hf:([A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*)(?:@(refs/(?:convert/[^/@]+|pr/[0-9]+)|[^/@]+))?(?:/(.+))?$`)

// IsDataset says that a name is of a dataset on the hub.
func IsDataset(name string) bool { return strings.HasPrefix(name, "hf:") }

// EnsureDataset finds the file of prompts that hf:owner/name[@revision][/path] names
// in the cache, and downloads it where it is not there, as o.Pull allows. Without a
// path the dataset has one such file. o.Model is the name; errors are those of Ensure.
func EnsureDataset(ctx context.Context, o Options) (DataFile, error) {
	m := datasetName.FindStringSubmatch(o.Model)
	if m == nil || strings.Contains(o.Model, "..") {
		return DataFile{}, fmt.Errorf("%w: %q is not named as hf:owner/name, hf:owner/name/FILE or hf:owner/name@REVISION/FILE", ErrNotFound, o.Model)
	}
	if ext := path.Ext(m[3]); m[3] != "" && !slices.Contains(dataset.Extensions(), ext) {
		return DataFile{}, fmt.Errorf("%w: %s is no file of prompts (%s)", ErrNotFound, o.Model, strings.Join(dataset.Extensions(), ", "))
	}
	repo, file := datasets+m[1], m[3]
	if o.Revision == "" { // a commit that is to be used again stands above the name's
		o.Revision = m[2]
	}
	here, err := cachedFile(o, repo, file)
	switch {
	case err == nil && (o.Pull != "always" || Offline() != ""), err != nil && (!errors.Is(err, ErrNotFound) || o.Pull == "never"):
		return here, err
	}
	c, cerr := newClient(o)
	if errors.Is(cerr, ErrOffline) {
		return DataFile{}, fmt.Errorf("%w, and %w", cerr, err)
	} else if cerr != nil {
		return DataFile{}, cerr
	}
	p := &puller{client: c, cache: o.cache(), repo: repo, folder: folderOf(repo), progress: o.Progress}
	rev, err := c.resolve(ctx, repo, o.revision())
	if err != nil {
		return DataFile{}, fmt.Errorf("pull %s: %w", o.Model, err)
	}
	one, err := pickData(rev.files, file)
	if err != nil {
		return DataFile{}, fmt.Errorf("pull %s: %w", o.Model, err)
	}
	if _, err := p.fetch(ctx, rev.commit, []remoteFile{one}, o.revision()); err != nil {
		return DataFile{}, fmt.Errorf("pull %s: %w", o.Model, err)
	}
	if file == "" {
		if err := p.note(one.Name); err != nil {
			return DataFile{}, err
		}
	}
	return DataFile{Path: filepath.Join(p.snapshot(), filepath.FromSlash(one.Name)), Commit: rev.commit}, nil
}

// onlyFile is where it is kept which file a dataset has alone, at a commit: beside
// what huggingface_hub keeps of it.
func onlyFile(cache, repo, commit string) string {
	return filepath.Join(cache, folderOf(repo), "llem", commit)
}

func (p *puller) note(name string) error {
	path := onlyFile(p.cache, p.repo, p.commit)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, []byte(name), 0o644)
}

// cachedFile finds a dataset's file in the cache.
func cachedFile(o Options, repo, file string) (DataFile, error) {
	missing := fmt.Errorf("%w: %s (revision %s) is not in %s: `llem pull CONFIG` downloads it", ErrNotFound, o.Model, o.revision(), o.cache())
	hash, err := o.commit(repo)
	if errors.Is(err, ErrNotFound) {
		return DataFile{}, missing
	} else if err != nil {
		return DataFile{}, err
	}
	snapshot := filepath.Join(o.cache(), folderOf(repo), "snapshots", hash)
	if file == "" { // the cache may hold another by chance: which one was meant the hub has said
		name, err := os.ReadFile(onlyFile(o.cache(), repo, hash))
		if err != nil {
			return DataFile{}, fmt.Errorf("%w; or name its file, as hf:owner/name/FILE", missing)
		}
		file = string(name)
	}
	at := filepath.Join(snapshot, filepath.FromSlash(file))
	if st, err := os.Stat(at); err != nil || !st.Mode().IsRegular() {
		return DataFile{}, missing
	}
	return DataFile{Path: at, Commit: hash}, nil
}

// pickData is the file of that name; without one, the only file of prompts.
func pickData(files []remoteFile, name string) (remoteFile, error) {
	var all []remoteFile
	for _, f := range files {
		if f.Name == name {
			return f, nil
		}
		if slices.Contains(dataset.Extensions(), path.Ext(f.Name)) && path.Base(f.Name) != "dataset_infos.json" {
			all = append(all, f)
		}
	}
	switch {
	case name != "":
		return remoteFile{}, fmt.Errorf("%w: it has no file %s, but %s", ErrNotFound, name, names(all))
	case len(all) == 1:
		return all[0], nil
	case len(all) == 0:
		return remoteFile{}, fmt.Errorf("%w: it has no file of prompts (%s)", ErrNotFound, strings.Join(dataset.Extensions(), ", "))
	}
	return remoteFile{}, fmt.Errorf("%w: it has several files, of which one is to be named as hf:owner/name/FILE: %s", ErrNotFound, names(all))
}
