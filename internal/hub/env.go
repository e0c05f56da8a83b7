package hub

import (
	"cmp"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The environment of huggingface_hub holds here too, so that one cache, one
// token and one switch serve both.

// home is HF_HOME.
func home() string {
	if dir := os.Getenv("HF_HOME"); dir != "" {
		return dir
	}
	if dir := os.Getenv("XDG_CACHE_HOME"); dir != "" {
		return filepath.Join(dir, "huggingface")
	}
	dir, err := os.UserHomeDir()
	if err != nil {
		dir = "/"
	}
	return filepath.Join(dir, ".cache", "huggingface")
}

// CacheDir is where models are kept: HF_HUB_CACHE, HF_HOME/hub, or
// ~/.cache/huggingface/hub.
func CacheDir() string {
	return cmp.Or(os.Getenv("HF_HUB_CACHE"), os.Getenv("HUGGINGFACE_HUB_CACHE"), filepath.Join(home(), "hub"))
}

// Token is the user's Hugging Face token and where it is from: HF_TOKEN, or the
// file that `hf auth login` writes (HF_TOKEN_PATH). Both are empty without one.
func Token() (token, source string) {
	for _, name := range []string{"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"} {
		if t := strings.TrimSpace(os.Getenv(name)); t != "" {
			return t, name
		}
	}
	path := cmp.Or(os.Getenv("HF_TOKEN_PATH"), filepath.Join(home(), "token"))
	data, err := os.ReadFile(path)
	if t := strings.TrimSpace(string(data)); err == nil && t != "" {
		return t, path
	}
	return "", ""
}

// Offline is the name of the variable that forbids asking the hub; empty: none.
func Offline() string {
	for _, name := range []string{"HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"} {
		if slices.Contains([]string{"1", "ON", "YES", "TRUE"}, strings.ToUpper(os.Getenv(name))) {
			return name
		}
	}
	return ""
}

// endpoint is where the hub is: HF_ENDPOINT, or the public one.
func endpoint() (*url.URL, error) {
	text := strings.TrimRight(cmp.Or(os.Getenv("HF_ENDPOINT"), "https://huggingface.co"), "/")
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("HF_ENDPOINT is not the address of a server, such as https://huggingface.co")
	}
	return u, nil
}
