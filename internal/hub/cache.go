package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/renameio/v2"
	"golang.org/x/sys/unix"
)

// The cache is laid out as huggingface_hub lays it out:
//
//	models--owner--name/refs/<revision>            the commit
//	models--owner--name/blobs/<checksum>           the bytes
//	models--owner--name/snapshots/<commit>/<file>  links to them
//	.locks/models--owner--name/<checksum>.lock     held while a blob is written
//
// A dataset's are below datasets--owner--name.
func folderOf(repo string) string {
	if name, ok := strings.CutPrefix(repo, datasets); ok {
		return "datasets--" + strings.ReplaceAll(name, "/", "--")
	}
	return "models--" + strings.ReplaceAll(repo, "/", "--")
}

// datasets is what a dataset's repository begins with, here as in the hub's
// addresses.
const datasets = "datasets/"

// lockEvery is how often a lock of another is looked at.
const lockEvery = 100 * time.Millisecond

// lock holds a file of huggingface_hub's locks, which are flock's, until unlock
// is called. It waits for others.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("lock the cache: %w", err)
	}
	tick := time.NewTicker(lockEvery)
	defer tick.Stop()
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o664)
		if err != nil {
			return nil, fmt.Errorf("lock the cache: %w", err)
		}
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil && sameFile(f, path):
			return func() { f.Close() }, nil
		case errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.ENOTSUP):
			return func() { f.Close() }, nil // a file system without locks; names are renamed into place all the same
		case err != nil && !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		f.Close()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
	}
}

// sameFile is whether the path still names f, and was not removed by who held it.
func sameFile(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}

// link makes a snapshot's file a link to its blob.
func link(snapshot, name, blob string) error {
	at := filepath.Join(snapshot, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
		return err
	}
	to, err := filepath.Rel(filepath.Dir(at), blob)
	if err != nil {
		return err
	}
	if old, err := os.Readlink(at); err == nil && old == to {
		return nil
	}
	return renameio.Symlink(to, at)
}

// freeBytes is what the file system of a folder can still take; ok is false where
// it does not say.
func freeBytes(dir string) (n int64, ok bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}

// complete is whether the files that are needed of m are here: an interrupted
// download leaves some of them.
func (m Model) complete(small bool) bool {
	if strings.HasSuffix(m.Path, ".gguf") {
		return all(m.parts())
	}
	configured := m.has("config.json") || m.has("params.json") // Mistral's
	if small {
		return configured && (m.has("tok*") || m.has("tekken.json") || m.has("vocab.*"))
	}
	for _, index := range []string{"model.safetensors.index.json", "pytorch_model.bin.index.json"} {
		if shards, err := m.indexed(index); err == nil {
			return all(shards)
		}
	}
	for _, pattern := range []string{"*.safetensors", "*.bin", "*.pt", "*.gguf"} {
		if files, _ := filepath.Glob(filepath.Join(m.Path, pattern)); len(files) > 0 {
			return all(files) && (configured || pattern == "*.gguf")
		}
	}
	return false
}

// parts are all files of a GGUF model that may be split.
func (m Model) parts() []string {
	at := part.FindStringSubmatchIndex(m.Path)
	if at == nil {
		return []string{m.Path}
	}
	var n int
	if _, err := fmt.Sscanf(m.Path[at[2]:at[3]], "%d", &n); err != nil {
		return []string{m.Path}
	}
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("%s-%05d-of-%s", m.Path[:at[0]], i+1, m.Path[at[2]:]))
	}
	return out
}

// indexed are the files that an index of shards names.
func (m Model) indexed(index string) ([]string, error) {
	data, err := os.ReadFile(filepath.Join(m.Path, index))
	if err != nil {
		return nil, err
	}
	var i struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &i); err != nil {
		return nil, err
	}
	var out []string
	for _, f := range i.WeightMap {
		out = append(out, filepath.Join(m.Path, f))
	}
	return out, nil
}

// has is whether a file of the pattern is here.
func (m Model) has(pattern string) bool {
	files, _ := filepath.Glob(filepath.Join(m.Path, pattern)) // the patterns are good
	return all(files)
}

func all(files []string) bool {
	for _, f := range files {
		if _, err := os.Stat(f); err != nil {
			return false
		}
	}
	return len(files) > 0
}
