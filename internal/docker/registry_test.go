package docker

import (
	"errors"
	"testing"
)

func TestARegistryThatCannotBeReachedIsTheHostsFault(t *testing.T) {
	for why, want := range map[string]error{
		`Get "https://registry.example/v2/": dial tcp: lookup registry.example: no such host`: ErrRegistry,
		`Get "https://127.0.0.1:9/v2/": dial tcp 127.0.0.1:9: connect: connection refused`:    ErrRegistry,
		"net/http: request canceled while waiting for connection (Client.Timeout exceeded)":   ErrRegistry,
		"pull access denied for a/b, repository does not exist or may require 'docker login'": ErrImageNotFound,
		"manifest for a/b:nowhere not found: manifest unknown: manifest unknown":              ErrImageNotFound,
		"no matching manifest for linux/amd64 in the manifest list entries":                   ErrImageNotFound,
	} {
		if err := pullError("a/b", why); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", why, err, want)
		}
	}
}
