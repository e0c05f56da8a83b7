package docker

import (
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
)

// cached is a spec with a cache of its own, which the test's end removes.
func cached(t *testing.T, word, user string) launch.Spec {
	t.Helper()
	s := spec(t, word)
	s.Container.User, s.Engine = user, "faulty"
	s.Caches = []launch.Cache{{Name: strings.ToLower(s.Name), Target: "/root/.cache/engine"}}
	t.Cleanup(func() {
		_ = exec.Command("docker", "volume", "rm", "--force", s.Caches[0].Name).Run() // gone where the test went well
	})
	return s
}

func find(t *testing.T, d *daemon, name string) (launch.Volume, bool) {
	t.Helper()
	list, err := d.Caches(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(list, func(v launch.Volume) bool { return v.Name == name }); i >= 0 {
		return list[i], true
	}
	return launch.Volume{}, false
}

// The second container of an image finds what the first has compiled, whoever
// its user is.
func TestACacheOutlivesItsContainer(t *testing.T) {
	for _, user := range []string{"", "1234:5", "model"} {
		t.Run("user_"+strings.ReplaceAll(user, ":", "_"), func(t *testing.T) {
			d := open(t)
			sp := cached(t, "", user)
			for _, c := range []struct{ state, says string }{
				{launch.CacheCold, "marked before: false, marked: <nil>"},
				{launch.CacheWarm, "marked before: true, marked: <nil>"},
			} {
				s, err := started(t, d, sp)
				if err != nil {
					t.Fatal(err)
				}
				if got := s.Info().CompileCache; got != c.state {
					t.Errorf("the cache is %q, want %s", got, c.state)
				}
				if got := fetch(t, s.URL()+"/mark?in=/root/.cache/engine"); got != c.says {
					t.Errorf("the container says %q, want %q", got, c.says)
				}
				if err := s.Stop(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

func TestWithoutACacheThereIsNoState(t *testing.T) {
	s, err := started(t, open(t), spec(t, ""))
	if err != nil || s.Info().CompileCache != "" {
		t.Errorf("%v, cache %q", err, s.Info().CompileCache)
	}
}

// A container that dies at once has compiled nothing.
func TestAServerThatWasNeverReadyLeavesNoCache(t *testing.T) {
	d := open(t)
	sp := cached(t, "exit", "")
	s, err := started(t, d, sp)
	if err == nil || s.Info().CompileCache != launch.CacheCold {
		t.Fatalf("%v, cache %q", err, s.Info().CompileCache)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c, there := find(t, d, sp.Caches[0].Name); there {
		t.Errorf("%+v is left", c)
	}
}

func TestACacheInUseStays(t *testing.T) {
	d := open(t)
	sp := cached(t, "", "")
	s, err := started(t, d, sp)
	if err != nil {
		t.Fatal(err)
	}
	fetch(t, s.URL()+"/mark?in=/root/.cache/engine")
	c, there := find(t, d, sp.Caches[0].Name)
	if !there || c.Engine != "faulty" || c.SizeBytes < 1 || !slices.Equal(c.UsedBy, []string{sp.Name}) {
		t.Fatalf("%v %+v", there, c)
	}
	if err := d.RemoveCache(t.Context(), c); err == nil || !strings.Contains(err.Error(), sp.Name) {
		t.Errorf("removing it: %v", err)
	}
	c.UsedBy = nil // as seen before a container took it
	if err := d.RemoveCache(t.Context(), c); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("removing it: %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 2 { // removing what is gone is no error
		if err := d.RemoveCache(t.Context(), c); err != nil {
			t.Error(err)
		}
	}
	if _, there := find(t, d, c.Name); there {
		t.Error("it is still there")
	}
}

// A daemon that does not tell sizes still lists its caches.
func TestCachesOfUnknownSize(t *testing.T) {
	fake(t, map[string]http.HandlerFunc{
		"GET /volumes":         say(200, `{"Volumes":[{"Name":"b","Labels":{"io.llem.cache":"vllm"}},{"Name":"a","Labels":{"io.llem.cache":"vllm"}}]}`),
		"GET /system/df":       say(500, `{"message":"too busy"}`),
		"GET /containers/json": say(200, `[]`),
	})
	list, err := openFake(t).Caches(t.Context())
	if err != nil || len(list) != 2 || list[0].Name != "a" || list[0].SizeBytes >= 0 {
		t.Errorf("%+v, %v", list, err)
	}
}
