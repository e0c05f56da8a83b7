package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/llenergymeasure/llem/internal/study"
)

// userFile is the user's own defaults, below every experiment file.
func userFile() (*study.Layer, error) {
	dir, err := os.UserConfigDir()
	if err != nil {
		return nil, nil // no home: no file of the user's
	}
	path := filepath.Join(dir, "llem", "config.yaml")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, usageError{err}
	}
	return &study.Layer{Source: path, Data: data}, nil
}

// cacheDir is where baselines are kept between runs.
func cacheDir() string {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "llem")
}

// hfToken is the user's Hugging Face token: HF_TOKEN, else the file that
// `hf auth login` writes.
func hfToken() string {
	if t := os.Getenv("HF_TOKEN"); t != "" {
		return t
	}
	home := os.Getenv("HF_HOME")
	if home == "" {
		dir, err := os.UserHomeDir()
		if err != nil {
			return ""
		}
		home = filepath.Join(dir, ".cache", "huggingface")
	}
	data, err := os.ReadFile(filepath.Join(home, "token"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}
