package result

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Read reads the record at path, a run's directory or its result.json, and
// says in which directory it lies. The record's State says whether it is as it was
// written.
func Read(path string) (*Record, string, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		path = filepath.Join(path, RecordFile)
	}
	data, err := ReadFile(path, mostRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, "", fmt.Errorf("no result at %s: name a run's directory or its %s", path, RecordFile)
	}
	if err != nil {
		return nil, "", fmt.Errorf("read result: %w", err)
	}
	var head struct {
		SchemaVersion string  `json:"schema_version"`
		Experiment    *string `json:"experiment_id"`
		Study         string  `json:"study_hash"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return nil, "", notResult(path, data, err)
	}
	if head.Study != "" && head.Experiment == nil {
		return nil, "", fmt.Errorf("%s is of a study, and no result: name the study's directory", path)
	}
	if head.SchemaVersion == "" {
		return nil, "", fmt.Errorf("%s is not a result: it has no schema_version", path)
	}
	if major(head.SchemaVersion) != major(SchemaVersion) {
		return nil, "", fmt.Errorf("%s has schema_version %q and this llem reads %q: use the llem that wrote it, or a newer one", path, head.SchemaVersion, SchemaVersion)
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, "", notResult(path, data, err)
	}
	r.State, _ = r.state(data)
	return &r, filepath.Dir(path), nil
}

// ReadConfig is the text of config in the record of the run in dir, whose numbers are as
// they were written.
func ReadConfig(dir string) (json.RawMessage, error) {
	data, err := ReadFile(filepath.Join(dir, RecordFile), mostRecord)
	if err != nil {
		return nil, err
	}
	var r struct {
		Config json.RawMessage `json:"config"`
	}
	err = json.Unmarshal(data, &r)
	return r.Config, err
}

// mostRecord bounds result.json in bytes. The largest part of it is the
// configuration.
const mostRecord = 64 << 20

// notResult says on which line of the file at path the JSON breaks.
func notResult(path string, data []byte, err error) error {
	at := int64(len(data))
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		at = syntax.Offset
	case errors.As(err, &kind):
		at = kind.Offset
	}
	if kind != nil {
		what := cmp.Or(kind.Field, "the whole")
		err = fmt.Errorf("%s is a %s, which no result has there", what, kind.Value)
	}
	line := 1 + bytes.Count(data[:min(at, int64(len(data)))], []byte("\n"))
	return fmt.Errorf("%s:%d: this is not a result: %w", path, line, err)
}

func major(version string) string {
	m, _, _ := strings.Cut(version, ".")
	return m
}
