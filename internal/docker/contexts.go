package docker

import (
	"cmp"
	"encoding/json"
	"os"
	"path/filepath"
)

// Context is the docker command's current context, which [Open] does not ask;
// empty: the default one, or DOCKER_HOST stands above it.
func Context() string {
	if os.Getenv("DOCKER_HOST") != "" {
		return ""
	}
	name := os.Getenv("DOCKER_CONTEXT")
	if name == "" {
		home, _ := os.UserHomeDir() // without one there is no file
		data, err := os.ReadFile(filepath.Join(cmp.Or(os.Getenv("DOCKER_CONFIG"), filepath.Join(home, ".docker")), "config.json"))
		if err != nil {
			return ""
		}
		var config struct {
			Current string `json:"currentContext"`
		}
		if json.Unmarshal(data, &config) == nil {
			name = config.Current
		}
	}
	if name == "default" {
		return ""
	}
	return name
}
