package hub

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/hub/standin"
)

func TestPick(t *testing.T) {
	for _, tc := range []struct {
		name, files, file string
		small             bool
		want              string
	}{
		{"safetensors before PyTorch", "config.json model.safetensors pytorch_model.bin model.onnx tf_model.h5", "", false, "config.json model.safetensors"},
		{"shards", "a-00001-of-00002.safetensors a-00002-of-00002.safetensors model.safetensors.index.json", "", false, "model.safetensors.index.json a-00001-of-00002.safetensors a-00002-of-00002.safetensors"},
		{"Mistral's repeats", "consolidated.safetensors model.safetensors tekken.json", "", false, "tekken.json model.safetensors"},
		{"Mistral's alone", "consolidated.safetensors params.json", "", false, "params.json consolidated.safetensors"},
		{"PyTorch", "config.json pytorch_model.bin training_args.bin", "", false, "config.json pytorch_model.bin"},
		{"subfolders", "config.json original/params.json original/a.pth model.safetensors chat/x.jinja", "", false, "config.json chat/x.jinja model.safetensors"},
		{"small", "config.json model.safetensors tokenizer.model README.md", "", true, "config.json tokenizer.model"},
		{"one GGUF", "config.json x.gguf", "", false, "config.json x.gguf"},
		{"named GGUF", "config.json x-q4.gguf x-q8.gguf", "x-q8.gguf", false, "x-q8.gguf"},
		{"split GGUF", "q/x-00001-of-00002.gguf q/x-00002-of-00002.gguf q/y-00001-of-00002.gguf x-00001-of-00003.gguf", "q/x-00001-of-00002.gguf", false, "q/x-00001-of-00002.gguf q/x-00002-of-00002.gguf"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var files []remoteFile
			for _, name := range strings.Fields(tc.files) {
				files = append(files, remoteFile{Name: name})
			}
			picked, err := pick(files, tc.file, tc.small)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range picked {
				got = append(got, f.Name)
			}
			if diff := cmp.Diff(strings.Fields(tc.want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for files, want := range map[string]string{"a.gguf b.gguf config.json": "a.gguf, b.gguf", "config.json": "no weights"} {
		var list []remoteFile
		for _, name := range strings.Fields(files) {
			list = append(list, remoteFile{Name: name})
		}
		if _, err := pick(list, "", false); !errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: err = %v, want %q", files, err, want)
		}
	}
}

func TestPullOfANamedGGUFFile(t *testing.T) {
	_, o := hubWith(t, func(h *standin.Hub) { h.Files["q/x-q8.gguf"], h.Files["q/x-q4.gguf"] = weights(3000), weights(2000) })
	o.Model = "owner/name/q/x-q8.gguf"
	p, err := Pull(t.Context(), o)
	if err != nil || p.Files != 1 || p.Fetched != 3000 || !strings.HasSuffix(p.Path, standin.Commit+"/q/x-q8.gguf") {
		t.Fatalf("%+v, %v", p, err)
	}
	if to, err := os.Readlink(p.Path); err != nil || !strings.HasPrefix(to, "../../../blobs/") {
		t.Errorf("link to %s, %v", to, err)
	}
	if m, err := Find(t.Context(), o); err != nil || m != p.Model {
		t.Errorf("Find = %+v, %v", m, err)
	}
}

func TestIsPath(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "owner/name/here.gguf", nil)
	for name, want := range map[string]bool{
		"owner/name": false, "gpt2": false, "owner/name/x.gguf": false, "owner/name/q/x.gguf": false,
		"owner/name/here.gguf": true, "x.gguf": true, "owner/x.gguf": true, "/a": true, "./a": true, "../a/b/c.gguf": true, ".": true,
	} {
		if got := IsPath(name); got != want {
			t.Errorf("IsPath(%q) = %v", name, got)
		}
	}
}
