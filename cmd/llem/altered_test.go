package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

// finished writes a whole result, or one that was cut off after its window.
func finished(t *testing.T, h *host, name string, whole bool) (dir string) {
	t.Helper()
	s, err := result.Create(h.path("out"), name, time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	total, window, per := 1234.5, 20.0, 0.5
	r := &result.Record{
		SchemaVersion: result.SchemaVersion, ExperimentID: name, Name: name, Status: result.Completed, WindowSeconds: &window,
		EnergyTotalJ: &total, EnergyPerOutputToken: &per, Energy: result.Energy{Valid: true, Scope: "gpu", Method: "counter"},
		Requests: result.Requests{Completed: 4}, Tokens: result.Tokens{Output: new(int64(2469))}, MeasurementWarnings: []string{}, WarningSeverities: map[string]string{},
	}
	if err := s.PutFile(result.ConfigFile, []byte("model: reference/tiny\nengine: {image: x}\n")); err != nil {
		t.Fatal(err)
	}
	var ferr error
	if whole {
		r.Files, ferr = result.Files(s.Dir())
	}
	if err := errors.Join(ferr, s.PutRecord(r)); err != nil {
		t.Fatal(err)
	}
	return s.Dir()
}

// rewrite changes the text of a record.
func rewrite(t *testing.T, dir, from, to string) {
	t.Helper()
	path := filepath.Join(dir, result.RecordFile)
	data, err := os.ReadFile(path)
	if err == nil && !strings.Contains(string(data), from) {
		err = errors.New("the record has no " + from)
	}
	if err := errors.Join(err, os.WriteFile(path, []byte(strings.Replace(string(data), from, to, 1)), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// Whatever is changed in a record, every command that reads it says so and goes on
// with the others. What a formatter changes is no change.
func TestARecordThatIsNotAsItWasWrittenIsSaid(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	whole := finished(t, h, "sound", true)
	for name, c := range map[string]struct {
		from, to, state string
		code            int
	}{
		"a digit":            {"1234.5", "1034.5", "altered", exitFailed},
		"a status":           {`"status": "completed"`, `"status": "failed"`, "altered", exitFailed},
		"the name":           {`"name": "a-`, `"name": "b-`, "altered", exitFailed},
		"a key":              {`"window_seconds"`, `"window_Seconds"`, "altered", exitFailed},
		"a key twice":        {`"energy_total_j": 1234.5`, `"energy_total_j": 1234.5, "energy_total_j": 1`, "altered", exitFailed},
		"a key more":         {`"status"`, `"rank": 1, "status"`, "altered", exitFailed},
		"the checksum":       {`"record_sha256": "`, `"record_sha256": "0`, "altered", exitFailed},
		"a file's checksum":  {`"bytes": 41`, `"bytes": 42`, "altered", exitFailed},
		"white space":        {"{\n", "{\n\n\t ", "whole", exitDone},
		"the checksum's key": {`"record_sha256"`, `"record_sha_256"`, "altered", exitFailed},
	} {
		dir := finished(t, h, "a-"+strings.ReplaceAll(name, " ", "-"), true)
		rewrite(t, dir, c.from, c.to)
		said := dir + " was altered after it was written"
		commands := [][]string{{"show"}, {"export", "--csv", "-"}}
		if name == "a digit" {
			commands = append(commands, []string{"show", "--json"}, []string{"compare"}, []string{"compare", "--json"}, []string{"export", "--jsonl", "-"})
		}
		for _, args := range commands {
			o := h.llem(append(args, dir, whole)...)
			if o.code != c.code || strings.Contains(o.stderr, said) != (c.state == "altered") || !strings.Contains(o.stdout, "sound") {
				t.Errorf("%s, %v: exit %d\n%s%s", name, args, o.code, o.stdout, o.stderr)
			}
			if export := args[0] == "export"; export && !strings.Contains(o.stdout, c.state) || !export && c.state == "altered" && !strings.Contains(o.stdout, "record_altered") && !strings.Contains(o.stdout, "invalid") {
				t.Errorf("%s, %v: its answer does not say %s:\n%s", name, args, c.state, o.stdout)
			}
		}
		if name != "a digit" {
			continue
		}
		if o := h.llem("show", dir); !strings.Contains(o.stdout, "ALTERED") {
			t.Errorf("the table does not say so:\n%s", o.stdout)
		}
		if o := h.llem("run", "--dry-run", "--from", dir); o.code != exitUsage || !strings.Contains(o.stderr, "was altered") {
			t.Errorf("--from: exit %d\n%s", o.code, o.stderr)
		}
	}
}

// Only an older llem writes no checksum, and it writes none of the newer keys.
func TestARecordWhoseChecksumWasTakenOutIsAltered(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	for name, to := range map[string][2]string{
		"another key": {`"record_sha256"`, `"record_sha_256"`}, "another, short": {`"record_sha256"`, `"x"`}, "another, longer": {`"record_sha256"`, `"Record_SHA256x"`},
		"it and input_source": {`"input_source": ""`, `"input_sourc": ""`}, "it, of an older version": {`"schema_version": "1.1"`, `"schema_version": "1.0"`},
	} {
		dir := finished(t, h, "out-"+strings.ReplaceAll(strings.ReplaceAll(name, " ", "-"), ",", ""), true)
		rewrite(t, dir, to[0], to[1])
		if to[0] != `"record_sha256"` {
			rewrite(t, dir, `"record_sha256"`, `"x"`)
		}
		for _, command := range []string{"show", "verify", "compare"} {
			if o := h.llem(command, dir); o.code != exitFailed || !strings.Contains(o.stdout+o.stderr, "altered") && !strings.Contains(o.stdout+o.stderr, "taken out") {
				t.Errorf("%s, %s: exit %d\n%s%s", name, command, o.code, o.stdout, o.stderr)
			}
		}
	}
}

func TestARecordThatWasCutOffIsUnfinished(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := finished(t, h, "cut", false)
	for _, args := range [][]string{{"show"}, {"compare"}, {"export", "--csv", "-"}, {"show", "--json"}} {
		o := h.llem(append(args, dir)...)
		if o.code != exitDone || !strings.Contains(o.stderr, dir+" is unfinished") || !strings.Contains(o.stderr, "llem clean") {
			t.Errorf("%v: exit %d\n%s%s", args, o.code, o.stdout, o.stderr)
		}
		if args[0] == "export" && !strings.Contains(o.stdout, ",unfinished,") || args[0] == "show" && len(args) == 1 && !strings.Contains(o.stdout, "UNFINISHED") {
			t.Errorf("%v:\n%s", args, o.stdout)
		}
	}
}
