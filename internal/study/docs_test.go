package study

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "rewrite generated files")

func TestTheReferenceIsUpToDate(t *testing.T) {
	const path = "../../docs/config.md"
	if *update {
		if err := os.WriteFile(path, Reference(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(Reference()), string(got)); diff != "" {
		t.Errorf("%s (go test ./internal/study -update rewrites it): -want +got:\n%s", path, diff)
	}
}

// valid says what the JSON Schema thinks of a YAML text.
func valid(t *testing.T, text []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("experiment.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("experiment.json")
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(instance)
}

func TestExamplesDecodeAndFitTheSchema(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, f := range files {
		if _, _, err := ReadFile(f, Options{}); err != nil {
			t.Error(err)
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(t, text); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
	if err := valid(t, InitFile()); err != nil {
		t.Error(err)
	}
	e := decode(t, string(InitFile()), Options{})
	want := decode(t, "model: reference/small\nengine: {startup_timeout_seconds: 600}\nworkload: {load: {concurrency: 4}}\n", Options{})
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("the file to start from has other values than the defaults: -want +got:\n%s", diff)
	}
}

// What the decoder refuses by itself, an editor with the schema marks too.
func TestTheSchemaRefusesWhatTheDecoderRefuses(t *testing.T) {
	for _, text := range []string{
		"model: x\nmodle: y\n",
		"model: x\nseed: one\n",
		"model: x\nwarmup: {cv_threshold: 2}\n",
		"model: x\nenergy: {backend: intel}\n",
		"model: x\nworkload: {load: {pattern: burst}}\n",
		"model: x\nworkload: {api: chats}\n",
		"model: x\ngpus: some\n",
		"model: x\nengine: {args: 3}\n",
		"model: x\nsweep: {seed: [1, 2]}\n",
		"model: x\nmeasurement: {sample_interval_ms: 1.5}\n",
	} {
		if _, err := Decode("x.yaml", []byte(text), Options{}); err == nil {
			t.Errorf("decoded %q", text)
		}
		if valid(t, []byte(text)) == nil {
			t.Errorf("the schema takes %q", text)
		}
	}
}
