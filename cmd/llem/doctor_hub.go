package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/llenergymeasure/llem/internal/hub"
)

// What must be free, in bytes: an engine's image with its layers unpacked
// (vllm/vllm-openai is over 20 GB), and the weights of an 8 B model in 16 bits.
const (
	imageSpace = 30e9
	modelSpace = 20e9
)

// doctorHub looks at the Hugging Face token and cache. The token's value is never
// shown.
func doctorHub(*app) []finding {
	token := finding{"hf token", "optional", "none; gated models need one", "hf auth login, or set HF_TOKEN"}
	if _, from := hub.Token(); from != "" {
		token = finding{"hf token", "ok", "from " + from, ""}
	}
	out := []finding{token}
	if v := hub.Offline(); v != "" {
		out = append(out, finding{"hf hub", "ok", v + " is set: nothing is downloaded", ""})
	}
	dir := hub.CacheDir()
	place := existing(dir)
	if unix.Access(place, unix.W_OK) != nil {
		own := fmt.Sprintf("sudo chown -R $USER %s", dir)
		if place != dir { // the folder above is not the user's to have
			own = fmt.Sprintf("sudo mkdir -p %s && sudo chown $USER %s", dir, dir)
		}
		return append(out, finding{"model cache", "lacking", place + " cannot be written, so that no model can be downloaded to " + dir, own + ", or set HF_HUB_CACHE to a folder of yours"})
	}
	models, _ := filepath.Glob(filepath.Join(dir, "models--*")) // the pattern is good
	room := roomFor("model cache", dir, modelSpace, "remove models with hf cache, or set HF_HUB_CACHE to a folder on a larger disk")
	room.Seen = fmt.Sprintf("%d models in %s", len(models), room.Seen)
	return append(out, room)
}

// roomFor says how much is free where dir lies or would lie.
func roomFor(what, dir string, need float64, remedy string) finding {
	var s syscall.Statfs_t
	if dir == "" || syscall.Statfs(existing(dir), &s) != nil {
		return finding{what, "ok", cmp.Or(dir, "a folder that the daemon does not name") + ", free space unknown", ""}
	}
	free := int64(s.Bavail) * s.Bsize
	seen := fmt.Sprintf("%s, %s free", dir, sizeOf(free))
	if float64(free) < need {
		return finding{what, "lacking", seen + fmt.Sprintf("; one may need %s", sizeOf(int64(need))), remedy}
	}
	return finding{what, "ok", seen, ""}
}

// existing is dir, or the nearest folder above it that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}
