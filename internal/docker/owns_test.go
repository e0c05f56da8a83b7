package docker

import (
	"os"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
)

func TestAProcessIsOfItsContainerOrThatCannotBeTold(t *testing.T) {
	for name, c := range map[string]struct {
		container string
		pid       int
		unknown   bool
	}{
		"outside":           {"c0ffee00", os.Getpid(), false},
		"hidden":            {"c0ffee00", 1 << 30, true},
		"of no container's": {"", os.Getpid(), true},
	} {
		s := &server{info: launch.ContainerInfo{ID: c.container}}
		if mine, err := s.Owns(c.pid); mine || (err != nil) != c.unknown {
			t.Errorf("%s: %v, %v", name, mine, err)
		}
	}
}
