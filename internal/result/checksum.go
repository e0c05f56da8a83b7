package result

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
)

// The fields that hold a file's own checksum.
const (
	recordSumField = "record_sha256"
	planSumField   = "plan_sha256"
)

// ownSum is the SHA-256 of a file's JSON: keys in order, numbers as they are written,
// no white space, and the field that holds it empty.
func ownSum(data []byte, field string) (string, error) {
	fields, err := decode(data)
	if err != nil {
		return "", err
	}
	fields[field] = ""
	canonical, err := json.Marshal(fields)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

func decode(data []byte) (fields map[string]any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // a float64 would hide a digit
	if err := d.Decode(&fields); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the record")
	}
	return fields, nil
}

// State says whether a record that was read is as it was written.
type State string

// States of a record.
const (
	Whole      State = "whole"
	Altered    State = "altered"    // something in it was changed
	Unfinished State = "unfinished" // llem has not written its end yet, or was killed before it
	Unchecked  State = "unchecked"  // an older llem wrote it, without a checksum
)

// state holds r, which data is the text of, to its checksum. White space does not
// count. seen says what was seen, for people.
func (r *Record) state(data []byte) (s State, seen string) {
	if r.RecordSHA256 == "" && r.Tokens.InputSource != "" {
		return Altered, "its " + recordSumField + " was taken out: every llem that writes tokens.input_source writes that too"
	}
	if r.RecordSHA256 == "" {
		return Unchecked, "not checked: an older llem wrote it, without " + recordSumField
	}
	now, err := ownSum(data, recordSumField)
	switch {
	case err != nil:
		return Altered, err.Error()
	case now != r.RecordSHA256:
		return Altered, fmt.Sprintf("its SHA-256 is %.12s… and was %.12s…: something in it was changed", now, r.RecordSHA256)
	case len(r.Files) == 0:
		return Unfinished, "as it was written, before the run's end"
	}
	return Whole, "as it was written"
}

// CheckRecord says whether the record in dir is what was written; ok is false where
// it is not. A record without a checksum cannot be checked, which is no difference.
func CheckRecord(dir string) (seen string, ok bool) {
	data, err := ReadFile(filepath.Join(dir, RecordFile), mostRecord)
	if err != nil {
		return err.Error(), false
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return err.Error(), false
	}
	state, seen := r.state(data)
	return seen, state != Altered
}

// Leaves are the values of r by their path, such as energy.per_gpu[0].energy_j,
// each as JSON.
func (r *Record) Leaves() (map[string]string, error) {
	data, err := json.Marshal(finite(reflect.ValueOf(*r)).Interface())
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	fields, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	out := map[string]string{}
	leaves(out, "", fields)
	return out, nil
}

func leaves(out map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if path != "" {
				key = path + "." + key
			}
			leaves(out, key, inner)
		}
	case []any:
		for i, inner := range v {
			leaves(out, fmt.Sprintf("%s[%d]", path, i), inner)
		}
	case json.Number:
		out[path] = v.String()
	default:
		out[path] = fmt.Sprint(v)
		if v == nil {
			out[path] = "null"
		}
	}
}
