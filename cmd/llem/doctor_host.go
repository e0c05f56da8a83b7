package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/llenergymeasure/llem/internal/lease"
)

func doctorGovernor(*app) []finding {
	v, err := os.ReadFile("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
	switch g := strings.TrimSpace(string(v)); {
	case err != nil: // a virtual machine has none
		return nil
	case g == "powersave":
		return []finding{{"cpu governor", "lacking", "powersave: the client's latencies suffer", "sudo cpupower frequency-set -g performance"}}
	default:
		return []finding{{"cpu governor", "ok", g, ""}}
	}
}

func doctorHostEnergy(*app) []finding {
	r, err := openHost()
	if err != nil {
		seen, remedy, _ := strings.Cut(err.Error(), "; ")
		if remedy == "" {
			return []finding{{"host energy", "optional", seen, "nothing: this CPU or virtual machine shows none"}}
		}
		return []finding{{"host energy", "lacking", seen, remedy}}
	}
	return []finding{{"host energy", "ok", fmt.Sprintf("RAPL, %d domains", len(r.Domains())), ""}}
}

func doctorCache(*app) []finding {
	if err := writable(cacheDir()); err != nil {
		return []finding{{"baseline cache", "lacking", err.Error(), "set XDG_CACHE_HOME to a folder that can be written"}}
	}
	return []finding{{"baseline cache", "ok", cacheDir(), ""}}
}

// leftSettings are the GPUs that a killed run has left changed.
func leftSettings(*app) []finding {
	out := []finding{}
	left, err := lease.LeftSettings()
	if err != nil {
		return append(out, finding{"left over", "lacking", err.Error(), "look at the folder of the lock files"})
	}
	for _, uuid := range left {
		out = append(out, finding{"left over", "lacking", "the settings of GPU " + uuid + " are those of a run that was killed", "sudo llem clean"})
	}
	return out
}

func writable(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(filepath.Clean(f.Name())))
}
