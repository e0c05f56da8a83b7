package main

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// What an image is pinned by runs that image.
func TestAPinRunsItsImage(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	var list []engineImage
	decodeJSON(t, h.llem("images", "--json").stdout, &list)
	i := slices.IndexFunc(list, func(i engineImage) bool { return i.Image == image+":latest" })
	if i < 0 {
		t.Fatalf("%s is not among %+v", image, list)
	}
	got := list[i]
	if got.Engine != "reference" || got.ToldBy != "label io.llem.engine" || got.Digest != nil || got.Pin != got.ID || !strings.HasPrefix(got.ID, "sha256:") || got.SizeBytes < 1_000_000 || !strings.HasPrefix(got.Platform, "linux/") {
		t.Errorf("%+v", got)
	}
	r := h.llem("run", "--quick", "--image", got.Pin, "--model", "reference/tiny", "-n", "2", "-o", h.path("out")).record(t)
	if r.Engine.ImageID != got.ID {
		t.Errorf("it ran %s, want %s", r.Engine.ImageID, got.ID)
	}
}

func TestImagesAreThoseOfEngines(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	digest := "sha256:" + strings.Repeat("ab", 32)
	const long = "registry.example.org:5000/a/very/long/path/of/a/mirror/vllm-openai"
	h.standIn(map[string]string{
		"GET /images/json": `[
			{"Id":"sha256:1","RepoTags":["<none>:<none>"],"RepoDigests":["<none>@<none>"]},
			{"Id":"sha256:2","RepoTags":["debian:12"]},
			{"Id":"sha256:3","RepoTags":["vllm/vllm-openai:v0.27.1","` + long + `:v0.27.1"]},
			{"Id":"sha256:4","RepoTags":null,"RepoDigests":["ollama/ollama@` + digest + `"]},
			{"Id":"sha256:5","RepoTags":["gone:latest"]}]`,
		"GET /images/debian:12/json":                    `{"Id":"sha256:2","Os":"linux","Architecture":"amd64","Config":{"Cmd":["bash"]}}`,
		"GET /images/vllm/vllm-openai:v0.27.1/json":     `{"Id":"sha256:333333333333333","Os":"linux","Architecture":"amd64","Size":22123000000,"RepoDigests":["vllm/vllm-openai@` + digest + `"],"Config":{"Entrypoint":["vllm","serve"]}}`,
		"GET /images/" + long + ":v0.27.1/json":         `{"Id":"sha256:333333333333333","Os":"linux","Architecture":"arm64","Size":22123000000,"RepoDigests":["vllm/vllm-openai@` + digest + `"],"Config":{"Entrypoint":["vllm","serve"]}}`,
		"GET /images/ollama/ollama@" + digest + "/json": `{"Id":"sha256:4","Os":"linux","Architecture":"amd64","RepoDigests":["ollama/ollama@` + digest + `"],"Config":{"Entrypoint":["/bin/ollama"],"Cmd":["serve"]}}`,
	})
	var list []engineImage
	decodeJSON(t, h.llem("images", "--json").stdout, &list)
	pins := map[string]string{}
	for _, i := range list {
		pins[i.Image] = i.Pin
	}
	want := map[string]string{
		"vllm/vllm-openai:v0.27.1": "vllm/vllm-openai@" + digest, long + ":v0.27.1": "sha256:333333333333333", "ollama/ollama@" + digest: "ollama/ollama@" + digest,
	}
	if diff := cmp.Diff(want, pins); diff != "" {
		t.Errorf("pins: -want +got:\n%s", diff)
	}
	o := h.llem("images")
	lines := strings.Split(o.stdout, "\n")
	if o.code != exitDone || !strings.HasPrefix(lines[0], "IMAGE ") || !strings.Contains(o.stdout, "22.1 GB  333333333333  abababababab") || !strings.Contains(o.stdout, "333333333333  local") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n > columns {
			t.Errorf("%d columns: %s", n, l)
		}
	}
}

func TestNoImageIsAnEngines(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.standIn(map[string]string{"GET /images/json": `[]`})
	if o := h.llem("images"); o.code != exitDone || o.stdout != "" || !strings.Contains(o.stderr, "llem engines") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	if o := h.llem("images", "--json"); strings.TrimSpace(o.stdout) != "[]" {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
}
