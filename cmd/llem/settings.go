package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/llenergymeasure/llem/internal/hub"
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

// hfToken is the user's Hugging Face token; empty: there is none.
func hfToken() string {
	token, _ := hub.Token()
	return token
}

// credentials are the server's key and further headers for it, from the environment.
// Programs that llem starts do not inherit them.
func credentials() (key, headers string) {
	key, headers = os.Getenv("LLEM_API_KEY"), os.Getenv("LLEM_HEADERS")
	os.Unsetenv("LLEM_API_KEY")
	os.Unsetenv("LLEM_HEADERS")
	return key, headers
}
