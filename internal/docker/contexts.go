package docker

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
)

// currentContext is the docker command's current context, which reach does not ask;
// empty: the default one, or DOCKER_HOST stands above it.
func currentContext() string {
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

// misled says that the docker command uses another daemon than reach finds.
func misled() (seen, remedy string) {
	name := currentContext()
	if name == "" {
		return "", ""
	}
	return fmt.Sprintf("the docker command uses the context %q, and llem does not", name), useContext(name)
}

// useContext is how llem is given the daemon of a context.
func useContext(name string) string {
	return fmt.Sprintf("export DOCKER_HOST=$(docker context inspect %s --format '{{.Endpoints.docker.Host}}')", name)
}
