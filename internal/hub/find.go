package hub

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ErrNotFound says that a model is not on this host.
var ErrNotFound = errors.New("model not found")

// Options name a model.
type Options struct {
	Model    string
	Revision string // branch, tag or commit; empty is main
	CacheDir string // empty: HF_HUB_CACHE, HF_HOME/hub, ~/.cache/huggingface/hub
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
	if local(o.Model) {
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
	if !hubID.MatchString(o.Model) || strings.Contains(o.Model, "..") {
		return Model{}, fmt.Errorf("model: %q is neither a path nor a Hugging Face id such as owner/name", o.Model)
	}
	return cached(o)
}

func local(name string) bool {
	return filepath.IsAbs(name) || strings.HasPrefix(name, "./") || strings.HasPrefix(name, "../") || strings.HasSuffix(name, ".gguf")
}

// cached finds a snapshot in the layout of huggingface_hub.
func cached(o Options) (Model, error) {
	cache := o.CacheDir
	if cache == "" {
		cache = defaultCache()
	}
	repo := filepath.Join(cache, "models--"+strings.ReplaceAll(o.Model, "/", "--"))
	revision := o.Revision
	if revision == "" {
		revision = "main"
	}
	missing := fmt.Errorf("%w: %s (revision %s) is not in %s; download it first: hf download %s --revision %s", ErrNotFound, o.Model, revision, cache, o.Model, revision)
	hash := revision
	if !commit.MatchString(revision) {
		if strings.Contains(revision, "..") {
			return Model{}, fmt.Errorf("revision: %q is none", revision)
		}
		data, err := os.ReadFile(filepath.Join(repo, "refs", filepath.FromSlash(revision)))
		if err != nil {
			return Model{}, missing
		}
		if hash = strings.TrimSpace(string(data)); !commit.MatchString(hash) {
			return Model{}, fmt.Errorf("%s/refs/%s does not hold a commit; download the model again", repo, revision)
		}
	}
	path := filepath.Join(repo, "snapshots", hash)
	if st, err := os.Stat(path); err != nil || !st.IsDir() {
		return Model{}, missing
	}
	return Model{ID: o.Model, Path: path, Commit: hash}, nil
}

func defaultCache() string {
	if dir := os.Getenv("HF_HUB_CACHE"); dir != "" {
		return dir
	}
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return filepath.Join(dir, "hub")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		home = "/"
	}
	return filepath.Join(home, ".cache", "huggingface", "hub")
}
