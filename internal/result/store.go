package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"
)

// Names of the files of a run.
const (
	RecordFile     = "result.json"
	TimeseriesFile = "timeseries.parquet"
	RequestsFile   = "requests.parquet"
	SamplesFile    = "samples.parquet"
	ConfigFile     = "config.yaml"
	InputFile      = "config.input.yaml"
	LogFile        = "engine.log"
	ResponsesFile  = "responses.jsonl"
	SignatureFile  = "result.json.sig" // of the record, by llem sign
)

// Store is the directory of one run.
type Store struct{ dir string }

// Create makes dir/{name}_{UTC timestamp}, or with _2, _3 … where that is
// taken.
func Create(dir, name string, at time.Time) (*Store, error) {
	return CreateNoted(dir, name, at, func(string) error { return nil })
}

// CreateNoted is Create, and calls note with each path before it tries to make it.
func CreateNoted(dir, name string, at time.Time, note func(path string) error) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output directory: %w; choose another with -o (--output)", err)
	}
	base := filepath.Join(dir, name+"_"+at.UTC().Format("20060102T150405Z"))
	for n := 1; ; n++ {
		path := base
		if n > 1 {
			path = fmt.Sprintf("%s_%d", base, n)
		}
		if err := note(path); err != nil {
			return nil, err
		}
		err := os.Mkdir(path, 0o755)
		switch {
		case err == nil:
			if err := syncDir(dir); err != nil {
				return nil, advise(path, err)
			}
			return &Store{dir: path}, nil
		case !errors.Is(err, fs.ErrExist):
			return nil, fmt.Errorf("output directory: %w; choose another with -o (--output)", err)
		}
	}
}

// CreateAt makes the folder of one run at path. An empty one that is there is
// taken; one that holds something is an error.
func CreateAt(path string) (*Store, error) {
	err := os.Mkdir(path, 0o755)
	if errors.Is(err, fs.ErrExist) {
		var list []os.DirEntry
		if list, err = os.ReadDir(path); err == nil && len(list) > 0 {
			err = fmt.Errorf("%s holds something already", path)
		}
	}
	if err == nil {
		err = syncDir(filepath.Dir(path))
	}
	if err != nil {
		return nil, fmt.Errorf("folder of the run: %w", err)
	}
	return &Store{dir: path}, nil
}

// Supersede sets a run's folder aside, since its run is done again: nothing that
// was measured is lost.
func Supersede(study, folder string) error {
	aside := filepath.Join(study, SupersededDir)
	if err := os.MkdirAll(aside, 0o755); err != nil {
		return err
	}
	for n := 1; ; n++ {
		to := filepath.Join(aside, fmt.Sprintf("%s_%d", folder, n))
		if _, err := os.Lstat(to); err == nil {
			continue
		}
		if err := os.Rename(filepath.Join(study, folder), to); err != nil {
			return fmt.Errorf("set aside what a run left that was cut off: %w", err)
		}
		return errors.Join(syncDir(aside), syncDir(study))
	}
}

// Recall brings a run's folder back that was set aside, and says what it is called
// in its study's now: as it was, unless that name is taken. One that is still there
// stays.
func Recall(study, folder string, taken map[string]bool) (string, error) {
	aside, name := filepath.Split(folder)
	if filepath.Clean(aside) != SupersededDir {
		return folder, nil
	}
	if i := strings.LastIndexByte(name, '_'); i > 0 { // what Supersede added
		if _, err := os.Lstat(filepath.Join(study, name[:i])); errors.Is(err, fs.ErrNotExist) && !taken[name[:i]] {
			name = name[:i]
		}
	}
	if err := os.Rename(filepath.Join(study, folder), filepath.Join(study, name)); err != nil {
		return "", fmt.Errorf("bring back a run that was set aside: %w", err)
	}
	return name, errors.Join(syncDir(filepath.Join(study, SupersededDir)), syncDir(study))
}

// Dir is where the run's files are.
func (s *Store) Dir() string { return s.dir }

// PutRecord writes result.json, as [Record.Encode] has it.
func (s *Store) PutRecord(r *Record) error {
	data, err := r.Encode()
	if err != nil {
		return err
	}
	return s.PutFile(RecordFile, data)
}

// Encode is the text of result.json, with its checksum and its times in UTC. NaN and
// infinities, which JSON cannot hold, become null rather than lose the record. r is
// not changed.
func (r *Record) Encode() ([]byte, error) {
	whole := finite(reflect.ValueOf(*r)).Interface().(Record)
	data, err := json.Marshal(whole)
	if err == nil {
		whole.RecordSHA256, err = ownSum(data, recordSumField)
	}
	if err == nil {
		data, err = json.MarshalIndent(whole, "", "  ")
	}
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	return append(data, '\n'), nil
}

// PutFile writes one file.
func (s *Store) PutFile(name string, data []byte) error {
	return s.Put(name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Put writes one file by a function, whole or not at all.
func (s *Store) Put(name string, write func(io.Writer) error) error {
	return advise(name, replace(filepath.Join(s.dir, name), write))
}

// replace writes path under another name, flushes it and renames it.
func replace(path string, write func(io.Writer) error) error {
	dir := filepath.Dir(path)
	f, err := renameio.NewPendingFile(path, renameio.WithPermissions(0o644), renameio.WithTempDir(dir))
	if err != nil {
		return err
	}
	defer f.Cleanup() //nolint:errcheck // after a rename there is nothing to clean
	if err := write(f); err != nil {
		return err
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return err
	}
	return syncDir(dir)
}

// syncDir makes a rename durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func advise(name string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("write %s: %w; free some disk space, or choose another disk with -o (--output)", name, err)
	}
	return fmt.Errorf("write %s: %w", name, err)
}

// Open is the directory of a run that is there.
func Open(dir string) *Store { return &Store{dir: dir} }
