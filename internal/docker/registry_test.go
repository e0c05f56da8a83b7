package docker

import (
	"errors"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
)

func TestARegistryThatCannotBeReachedIsTheHostsFault(t *testing.T) {
	for why, want := range map[string]error{
		`Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host`: launch.ErrAway,
		`Get "https://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused`:    launch.ErrAway,
		"net/http: request canceled while waiting for connection (Client.Timeout exceeded)":   launch.ErrAway,
		"pull access denied for a/b, repository does not exist or may require 'docker login'": launch.ErrNoImage,
		"manifest for a/b:nowhere not found: manifest unknown: manifest unknown":              launch.ErrNoImage,
		"no matching manifest for linux/amd64 in the manifest list entries":                   launch.ErrNoImage,
	} {
		if err := pullError("a/b", why); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", why, err, want)
		}
	}
}
