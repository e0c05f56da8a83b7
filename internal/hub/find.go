package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// ErrNotFound says that a model or a file is not on this host.
var ErrNotFound = errors.New("not found")

// Options name a model.
type Options struct {
	Model    string // a Hugging Face id, owner/name/FILE.gguf of one, a folder or a .gguf file
	Revision string // branch, tag or commit; empty is main
	CacheDir string // empty: CacheDir()

	// What follows is for Ensure and Pull.
	Pull     string                  // missing (also empty), always or never
	Small    bool                    // configuration and tokenizer are enough
	Progress func(done, total int64) // bytes; nil: nobody asks. Never called at once

	pause time.Duration // before a new try; 0: as usual
}

func (o Options) cache() string {
	if o.CacheDir != "" {
		return o.CacheDir
	}
	return CacheDir()
}

func (o Options) revision() string {
	if o.Revision != "" {
		return o.Revision
	}
	return "main"
}

// repo is the model's repository on the hub, and the file of it where one is
// named; ok is false of paths. A name that is both is a path.
func (o Options) repo() (repo, file string, ok bool) {
	if !local(o.Model) {
		return o.Model, "", true
	}
	parts := strings.SplitN(o.Model, "/", 3)
	if len(parts) < 3 || !filepath.IsLocal(o.Model) || strings.HasPrefix(o.Model, ".") {
		return "", "", false
	}
	if _, err := os.Stat(o.Model); err == nil {
		return "", "", false
	}
	repo = parts[0] + "/" + parts[1]
	return repo, parts[2], hubID.MatchString(repo)
}

// Model is a model's files on this host.
type Model struct {
	ID     string
	Path   string // a directory, or a .gguf file
	Commit string // of a model from the hub
}

var (
	hubID  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$`)
	commit = regexp.MustCompile(`^[0-9a-f]{40}$`)
)

// Find looks a model up; ErrNotFound says where it looked.
func Find(_ context.Context, o Options) (Model, error) {
	repo, file, remote := o.repo()
	if !remote {
		st, err := os.Stat(o.Model)
		switch {
		case errors.Is(err, os.ErrNotExist):
			return Model{}, fmt.Errorf("%w: there is no %s", ErrNotFound, o.Model)
		case err != nil:
			return Model{}, fmt.Errorf("model: %w", err)
		case !st.IsDir() && !strings.HasSuffix(o.Model, ".gguf"):
			return Model{}, fmt.Errorf("model: %s is neither a directory nor a .gguf file", o.Model)
		}
		return Model{ID: o.Model, Path: o.Model}, nil
	}
	if !hubID.MatchString(repo) || strings.Contains(repo, "..") {
		return Model{}, fmt.Errorf("model: %q is neither a path nor a Hugging Face id such as owner/name", o.Model)
	}
	return cached(o, repo, file)
}

// IsPath is whether a model is named by where it lies on this host. A .gguf file
// of three names or more that is not there is the hub's, as owner/name/FILE.gguf.
func IsPath(name string) bool {
	_, _, remote := Options{Model: name}.repo()
	return !remote
}

func local(name string) bool {
	return filepath.IsAbs(name) || strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".gguf")
}

// cached finds a model's snapshot.
func cached(o Options, repo, file string) (Model, error) {
	hash, err := o.commit(repo)
	missing := fmt.Errorf("%w: %s (revision %s) is not in %s: `llem pull CONFIG` downloads it", ErrNotFound, o.Model, o.revision(), o.cache())
	if errors.Is(err, ErrNotFound) {
		return Model{}, missing
	} else if err != nil {
		return Model{}, err
	}
	path := filepath.Join(o.cache(), folderOf(repo), "snapshots", hash, filepath.FromSlash(file))
	if st, err := os.Stat(path); err != nil || st.IsDir() != (file == "") {
		return Model{}, missing
	}
	return Model{ID: o.Model, Path: path, Commit: hash}, nil
}

// commit is what the revision is, by the cache, in the layout of huggingface_hub;
// ErrNotFound where it does not know.
func (o Options) commit(repo string) (string, error) {
	revision := o.revision()
	if commit.MatchString(revision) {
		return revision, nil
	}
	if !filepath.IsLocal(revision) || strings.Contains(revision, "..") {
		return "", fmt.Errorf("revision: %q is none", revision)
	}
	folder := filepath.Join(o.cache(), folderOf(repo))
	data, err := os.ReadFile(filepath.Join(folder, "refs", filepath.FromSlash(revision)))
	if err != nil {
		return "", ErrNotFound
	}
	hash := strings.TrimSpace(string(data))
	if !commit.MatchString(hash) {
		return "", fmt.Errorf("%s/refs/%s does not hold a commit; remove it and download again", folder, revision)
	}
	return hash, nil
}
