package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
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
)

// Store is the directory of one run.
type Store struct{ dir string }

// Create makes dir/{name}_{UTC timestamp}, or with _2, _3 … where that is
// taken.
func Create(dir, name string, at time.Time) (*Store, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("output directory: %w; choose another with -o (--output)", err)
	}
	base := filepath.Join(dir, name+"_"+at.UTC().Format("20060102T150405Z"))
	for n := 1; ; n++ {
		path := base
		if n > 1 {
			path = fmt.Sprintf("%s_%d", base, n)
		}
		err := os.Mkdir(path, 0o755)
		switch {
		case err == nil:
			return &Store{dir: path}, nil
		case !errors.Is(err, fs.ErrExist):
			return nil, fmt.Errorf("output directory: %w; choose another with -o (--output)", err)
		}
	}
}

// Dir is where the run's files are.
func (s *Store) Dir() string { return s.dir }

// PutRecord writes result.json. NaN and infinities, which JSON cannot hold,
// become null rather than lose the record.
func (s *Store) PutRecord(r *Record) error {
	c := *r
	finite(reflect.ValueOf(&c).Elem())
	data, err := json.MarshalIndent(&c, "", "  ")
	if err != nil {
		return fmt.Errorf("encode record: %w", err)
	}
	return s.PutFile(RecordFile, append(data, '\n'))
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
	f, err := renameio.NewPendingFile(filepath.Join(s.dir, name), renameio.WithPermissions(0o644), renameio.WithTempDir(s.dir))
	if err != nil {
		return advise(name, err)
	}
	defer f.Cleanup() //nolint:errcheck // after a rename there is nothing to clean
	if err := write(f); err != nil {
		return advise(name, err)
	}
	if err := f.CloseAtomicallyReplace(); err != nil {
		return advise(name, err)
	}
	return advise(name, syncDir(s.dir))
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

// finite sets every pointer to NaN or an infinity below v to nil, takes such
// values out of maps, and sets others to 0; only pointers say "unknown".
func finite(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Elem().Kind() == reflect.Float64 && !ok(v.Elem().Float()) {
			v.SetZero()
			return
		}
		if !v.IsNil() {
			finite(v.Elem())
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[time.Time]() {
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				finite(f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			finite(v.Index(i))
		}
	case reflect.Map:
		for _, k := range v.MapKeys() {
			if e := v.MapIndex(k); e.Kind() == reflect.Float64 && !ok(e.Float()) {
				v.SetMapIndex(k, reflect.Value{})
			}
		}
	case reflect.Float64:
		if !ok(v.Float()) {
			v.SetFloat(0)
		}
	}
}

func ok(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// Read reads the record at path, a run's directory or its result.json, and
// says in which directory it lies.
func Read(path string) (*Record, string, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, RecordFile)
	}
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("no result at %s: name a run's directory or its %s", path, RecordFile)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read result: %w", err)
	}
	var head struct {
		SchemaVersion string `json:"schema_version"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, "", fmt.Errorf("%s is not a result: %w", path, err)
	}
	if major(head.SchemaVersion) != major(SchemaVersion) {
		return nil, "", fmt.Errorf("%s has schema_version %q and this llem reads %q: use the llem that wrote it, or a newer one", path, head.SchemaVersion, SchemaVersion)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, "", fmt.Errorf("%s is not a result: %w", path, err)
	}
	return &r, filepath.Dir(path), nil
}

func major(version string) string {
	m, _, _ := strings.Cut(version, ".")
	return m
}
