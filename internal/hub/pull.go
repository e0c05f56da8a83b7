package hub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/google/renameio/v2"
)

// Pulled is what a download brought.
type Pulled struct {
	Model
	Files   int
	Bytes   int64 // of all files
	Fetched int64 // of them downloaded now
}

// puller downloads one revision of one model.
type puller struct {
	client *client
	cache  string
	repo   string
	folder string
	commit string

	mu       sync.Mutex
	done     int64 // bytes of this revision that are here
	total    int64
	progress func(done, total int64)
}

// parallel is how many files are downloaded at once: a store gives one
// connection a part of what a line carries.
const parallel = 4

// Ensure finds a model, and downloads it where it is not on this host or not
// whole, as o.Pull allows: "never" does not, "always" asks for the newest commit
// of the revision. An error of Pull, or of Find, says what to do.
func Ensure(ctx context.Context, o Options) (Model, error) {
	m, err := Find(ctx, o)
	_, _, remote := o.repo()
	if !remote || err != nil && !errors.Is(err, ErrNotFound) {
		return m, err
	}
	here := err == nil && m.complete(o.Small)
	switch {
	case here && (o.Pull != "always" || Offline() != ""):
		return m, nil
	case o.Pull == "never" && err == nil:
		return m, fmt.Errorf("%w: %s lacks files of %s, and it may not be pulled", ErrNotFound, m.Path, o.Model)
	case o.Pull == "never":
		return m, err
	}
	p, err := Pull(ctx, o)
	return p.Model, err
}

// Pull downloads the files that an engine needs of a model's revision into the
// cache, in the layout of huggingface_hub. Files that are here are not
// downloaded again; one that was broken off is gone on with. Each is checked
// against the hub's checksum. A model that is a path is only found.
//
// Errors are ErrNotFound, ErrDenied, ErrOffline, ErrUnreachable, a wrong checksum, a full
// disk, the context's, or of the file system.
func Pull(ctx context.Context, o Options) (Pulled, error) {
	repo, file, remote := o.repo()
	if !remote {
		m, err := Find(ctx, o)
		return Pulled{Model: m}, err
	}
	c, err := newClient(o)
	if errors.Is(err, ErrOffline) {
		if m, missing := Find(ctx, o); missing == nil && m.complete(o.Small) {
			return Pulled{Model: m}, nil
		}
		err = fmt.Errorf("%w, and %s does not hold all of it", err, o.cache())
	}
	if err != nil {
		return Pulled{}, fmt.Errorf("pull %s: %w", o.Model, err)
	}
	p := &puller{client: c, cache: o.cache(), repo: repo, folder: folderOf(repo), progress: o.Progress}
	out, err := p.pull(ctx, o, file)
	if ctx.Err() != nil {
		return out, fmt.Errorf("pull %s: %w; what came is kept, and the next pull goes on with it", o.Model, err)
	}
	if err != nil {
		return out, fmt.Errorf("pull %s: %w", o.Model, err)
	}
	return out, nil
}

func (p *puller) pull(ctx context.Context, o Options, file string) (Pulled, error) {
	rev, err := p.client.resolve(ctx, p.repo, o.revision())
	if err != nil {
		return Pulled{}, err
	}
	files, err := pick(rev.files, file, o.Small)
	if err != nil {
		return Pulled{}, fmt.Errorf("revision %s: %w", o.revision(), err)
	}
	out, err := p.fetch(ctx, rev.commit, files, o.revision())
	out.Model = Model{ID: o.Model, Path: filepath.Join(p.snapshot(), file), Commit: p.commit}
	return out, err
}

// snapshot is the folder of the commit's files.
func (p *puller) snapshot() string { return filepath.Join(p.cache, p.folder, "snapshots", p.commit) }

// fetch downloads files of a commit, and notes it as what a revision is.
func (p *puller) fetch(ctx context.Context, commit string, files []remoteFile, revision string) (Pulled, error) {
	p.commit = commit
	snapshot, out := p.snapshot(), Pulled{Files: len(files)}
	for _, dir := range []string{snapshot, filepath.Join(p.cache, p.folder, "blobs")} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return out, full(err, p.cache)
		}
	}
	for _, f := range files {
		p.total += f.Size
	}
	present, err := p.room(files)
	if err != nil {
		return out, err
	}
	// Small ones first: an index tells which others make a model whole.
	slices.SortFunc(files, func(a, b remoteFile) int { return cmp.Compare(a.Size, b.Size) })
	if err := p.each(ctx, files, snapshot); err != nil {
		return out, err
	}
	out.Bytes, out.Fetched = p.total, p.total-present
	return out, p.ref(revision)
}

// room is how much of files is here already, or errDiskFull where the rest has no
// room.
func (p *puller) room(files []remoteFile) (present int64, err error) {
	seen := map[string]bool{}
	for _, f := range files {
		if st, err := os.Stat(p.blobPath(f)); err == nil && st.Size() == f.Size {
			present += f.Size
		} else if st, err := os.Stat(p.blobPath(f) + ".incomplete"); err == nil {
			present += min(st.Size(), f.Size)
		} else if seen[f.Sum] {
			present += f.Size
		}
		seen[f.Sum] = true
	}
	if free, ok := freeBytes(p.cache); ok && free < p.total-present {
		return present, fmt.Errorf("%w: %s has %.1f GB free and %.1f GB are to come: make room, or set HF_HUB_CACHE to another folder", errDiskFull, p.cache, float64(free)/1e9, float64(p.total-present)/1e9)
	}
	return present, nil
}

func (p *puller) blobPath(f remoteFile) string {
	return filepath.Join(p.cache, p.folder, "blobs", f.Sum)
}

// each downloads files, a few at once, and stops at the first error.
func (p *puller) each(ctx context.Context, files []remoteFile, snapshot string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	queue := make(chan remoteFile)
	var workers sync.WaitGroup
	for range parallel {
		workers.Go(func() {
			for f := range queue {
				err := p.blob(ctx, f)
				if err == nil {
					err = link(snapshot, f.Name, p.blobPath(f))
				}
				if err != nil {
					cancel(fmt.Errorf("%s: %w", f.Name, err))
				}
			}
		})
	}
feed:
	for _, f := range files {
		select {
		case <-ctx.Done():
			break feed
		case queue <- f:
		}
	}
	close(queue)
	workers.Wait()
	return context.Cause(ctx)
}

// here counts bytes that are here.
func (p *puller) here(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	if p.progress != nil {
		p.progress(p.done, p.total)
	}
}

// ref notes the commit of a branch or tag, once all of it is here.
func (p *puller) ref(name string) error {
	if name == p.commit {
		return nil
	}
	path := filepath.Join(p.cache, p.folder, "refs", filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, []byte(p.commit), 0o644)
}
