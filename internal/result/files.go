package result

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Files lists what is in dir, but for the record itself, with its checksums.
func Files(dir string) ([]File, error) {
	list, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list files: %w", err)
	}
	out := []File{}
	for _, e := range list {
		if e.Name() == RecordFile || !e.Type().IsRegular() {
			continue
		}
		f, err := sum(dir, e.Name())
		if err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func sum(dir, name string) (File, error) {
	in, _, err := openOwn(filepath.Join(dir, name))
	if err != nil {
		return File{}, fmt.Errorf("checksum: %w", err)
	}
	defer in.Close()
	h := sha256.New()
	n, err := io.Copy(h, in)
	if err != nil {
		return File{}, fmt.Errorf("checksum: %w", err)
	}
	return File{Name: name, Bytes: n, SHA256: hex.EncodeToString(h.Sum(nil))}, nil
}

// Check says how the file in dir differs from what f says of it; empty when it
// does not. A name that leads out of dir, or is a link, is not followed.
func (f File) Check(dir string) string {
	if f.Name != filepath.Base(f.Name) || !filepath.IsLocal(f.Name) {
		return fmt.Sprintf("%q is no name of a file in the run's own folder", f.Name)
	}
	now, err := sum(dir, f.Name)
	switch {
	case err != nil:
		return err.Error()
	case now.Bytes != f.Bytes:
		return fmt.Sprintf("it has %d bytes and had %d", now.Bytes, f.Bytes)
	case now.SHA256 != f.SHA256:
		return fmt.Sprintf("its SHA-256 is %.12s… and was %.12s…", now.SHA256, f.SHA256)
	}
	return ""
}

// ReadFile reads a file of at most most bytes. What is no file, such as a pipe or a
// device, is refused: it may never end.
func ReadFile(path string, most int64) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it is only read
	st, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !st.Mode().IsRegular():
		return nil, fmt.Errorf("%s is not a file (%s)", path, st.Mode().Type())
	case st.Size() > most:
		return nil, fmt.Errorf("%s has %d bytes; the most is %d", path, st.Size(), most)
	}
	data, err := io.ReadAll(io.LimitReader(f, most+1)) // it may grow meanwhile
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return data, err
}
