package hub

import (
	"context"
	"crypto/sha1" // names git's blobs; nothing is trusted for it
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"
)

// Faults of a download.
var (
	errChecksum = errors.New("checksum is wrong")
	errDiskFull = errors.New("no room on the disk")
)

// blob downloads one file's bytes into the cache, unless they are there, going
// on where an earlier try ended. here is told of bytes as they come, and of
// less where they turn out useless.
func (p *puller) blob(ctx context.Context, f remoteFile) error {
	unlock, err := lock(ctx, filepath.Join(p.cache, ".locks", p.folder, f.Sum+".lock"))
	if err != nil {
		return err
	}
	defer unlock()
	path := p.blobPath(f)
	if st, err := os.Stat(path); err == nil && st.Size() == f.Size {
		p.here(f.Size)
		return nil
	}
	d, err := p.open(path+".incomplete", f)
	if err != nil {
		return err
	}
	defer d.file.Close()
	if err := p.client.persist(ctx, d.n.Load, func() error { return d.more(ctx) }); err != nil {
		return p.client.explain(err, p.repo, p.commit, f.Name)
	}
	if got := hex.EncodeToString(d.hash.Sum(nil)); got != f.Sum {
		os.Remove(d.file.Name())
		return fmt.Errorf("%w: %s has %s where the hub says %s: its file was removed, and the next try starts from the beginning", errChecksum, f.Name, got, f.Sum)
	}
	if err := d.file.Sync(); err != nil {
		return full(err, p.cache)
	}
	return os.Rename(d.file.Name(), path)
}

// download is the state of one file's.
type download struct {
	*puller
	remoteFile
	file *os.File
	hash hash.Hash
	n    atomic.Int64 // bytes written and hashed
}

// open goes on with a file that an earlier try left.
func (p *puller) open(path string, f remoteFile) (*download, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, full(err, p.cache)
	}
	d := &download{puller: p, remoteFile: f, file: file}
	d.begin()
	n, err := io.Copy(d.hash, file)
	if err == nil && n <= f.Size {
		d.advance(n)
		return d, nil
	}
	if err := d.anew(); err != nil {
		file.Close()
		return nil, err
	}
	return d, nil
}

// begin starts the checksum: git's is over a header too.
func (d *download) begin() {
	if len(d.Sum) == sha256.Size*2 {
		d.hash = sha256.New()
		return
	}
	d.hash = sha1.New()
	fmt.Fprintf(d.hash, "blob %d\x00", d.Size)
}

func (d *download) advance(n int64) { d.n.Add(n); d.here(n) }

// anew throws away what is there.
func (d *download) anew() error {
	d.advance(-d.n.Load())
	d.begin()
	if err := d.file.Truncate(0); err != nil {
		return err
	}
	_, err := d.file.Seek(0, io.SeekStart)
	return err
}

// more asks for what is missing.
func (d *download) more(ctx context.Context) error {
	at := d.n.Load()
	if at == d.Size {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	from := ""
	if at > 0 {
		from = fmt.Sprintf("%d-", at)
	}
	resp, err := d.client.ask(ctx, address(d.repo, d.commit, d.Name), from)
	var s status
	if errors.As(err, &s) && s.code == http.StatusRequestedRangeNotSatisfiable {
		if err := d.anew(); err != nil {
			return err
		}
		return transient{error: s}
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if at > 0 && resp.StatusCode == http.StatusOK { // the server knows no ranges
		if err := d.anew(); err != nil {
			return err
		}
	}
	return d.read(ctx, cancel, resp.Body)
}

var errStalled = errors.New("nothing came for a minute")

// read takes the body; one that stands still is cut off.
func (d *download) read(ctx context.Context, cancel context.CancelCauseFunc, body io.Reader) error {
	stall := time.AfterFunc(answerIn, func() { cancel(errStalled) })
	defer stall.Stop()
	buf := make([]byte, 1<<18)
	for left := d.Size - d.n.Load(); left > 0; {
		n, err := body.Read(buf[:min(int64(len(buf)), left)])
		stall.Reset(answerIn)
		if n > 0 {
			if _, err := d.file.Write(buf[:n]); err != nil {
				return full(err, d.cache)
			}
			d.hash.Write(buf[:n])
			d.advance(int64(n))
			left -= int64(n)
		}
		switch {
		case left == 0:
			return nil
		case errors.Is(context.Cause(ctx), errStalled):
			return transient{error: errStalled}
		case err != nil && ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return transient{error: fmt.Errorf("%s broke off at %d of %d bytes: %w", d.Name, d.n.Load(), d.Size, err)}
		}
	}
	return nil
}

// full says what to do about a full disk.
func full(err error, cache string) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w: make room in %s, or set HF_HUB_CACHE to another folder; what is here is kept", errDiskFull, err, cache)
	}
	return err
}
