package peer

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// What the peers' own code of the version that is named made of the same requests
// (testdata/peers.py).
func TestFiguresAreThePeersOwn(t *testing.T) {
	var requests map[string][]sent
	var captured map[string]map[string]struct {
		Version string
		Figures map[string]any
	}
	for file, into := range map[string]any{"requests": &requests, "peers": &captured} {
		data, err := os.ReadFile("testdata/" + file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, into); err != nil {
			t.Fatalf("%s.json: %v", file, err)
		}
	}
	for set, list := range requests {
		for _, p := range peers {
			theirs, ok := captured[set][p.Name]
			if !ok && set == "silent" && p == &vllm {
				continue // it has the empty chunks of answers without text
			}
			if theirs.Version != p.Version {
				t.Errorf("%s: the figures are of %s, the definitions of %s", p.Name, theirs.Version, p.Version)
			}
			want := map[string]float64{}
			flatten(want, "", theirs.Figures)
			got, lacks, _ := numbers(t, p.Name, rows(list))
			if set == "clean" {
				delete(lacks, "metrics/request_streaming_iterations_count/successful/*") // in no file
				if len(lacks) > 0 {
					t.Errorf("%s, %s: left out %v", set, p.Name, lacks)
				}
			}
			for _, key := range slices.Sorted(maps.Keys(got)) {
				if v, ok := want[key]; !ok || !near(got[key], v) {
					t.Errorf("%s, %s: %s is %.17g, the peer's %.17g (%v)", set, p.Name, key, got[key], v, ok)
				}
			}
			if len(got) < 15 {
				t.Errorf("%s, %s: %d figures", set, p.Name, len(got))
			}
		}
	}
}

func flatten(into map[string]float64, at string, v any) {
	switch v := v.(type) {
	case float64:
		into[strings.TrimPrefix(at, "/")] = v
	case map[string]any:
		for k, inner := range v {
			flatten(into, at+"/"+k, inner)
		}
	}
}
