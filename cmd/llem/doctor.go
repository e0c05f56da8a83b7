package main

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/llenergymeasure/llem/internal/docker"
	"github.com/llenergymeasure/llem/internal/harness"
)

type doctorCmd struct {
	JSON bool `name:"json" help:"Print the findings as JSON."`
}

// finding is one line of doctor: what was looked at, how it stands, and what
// mends it.
type finding struct {
	What   string `json:"what"`
	State  string `json:"state"` // ok, lacking (run works without it), or broken (run cannot work)
	Seen   string `json:"seen"`
	Remedy string `json:"remedy,omitempty"`
}

// check looks at one thing of the host, by itself, and within some seconds.
type check func(*app) []finding

// checks are all of doctor's, in the order in which they are printed.
var checks = []check{
	doctorDocker, doctorGPUs, doctorZeusd, doctorZeus, doctorCodeCarbon,
	leftSettings, doctorGovernor, doctorHostEnergy, doctorCache,
}

// examine makes all checks at once.
func examine(a *app, checks []check) []finding {
	found := make([][]finding, len(checks))
	var wg sync.WaitGroup
	for i, look := range checks {
		wg.Go(func() { found[i] = look(a) })
	}
	wg.Wait()
	return slices.Concat(found...)
}

func (c *doctorCmd) Run(a *app) error {
	list := examine(a, checks)
	list = append(list, verdict(list))
	if c.JSON {
		enc := json.NewEncoder(a.stdout)
		enc.SetIndent("", "  ")
		if err := enc.Encode(list); err != nil {
			return err
		}
	} else {
		for _, f := range list {
			fmt.Fprintf(a.stdout, "%-8s %-18s %s\n", f.State, f.What, f.Seen)
			if f.Remedy != "" {
				fmt.Fprintf(a.stdout, "%27s → %s\n", "", f.Remedy)
			}
		}
	}
	if slices.ContainsFunc(list, func(f finding) bool { return f.State == "broken" }) {
		return silent(exitHost)
	}
	return nil
}

// verdict is what all findings come to.
func verdict(list []finding) finding {
	gpu := func(f finding) bool { return strings.HasPrefix(f.What, "gpu ") && f.State == "ok" }
	hinted := func(f finding) bool { return f.What == gpuContainers && f.State != "ok" }
	switch {
	case slices.ContainsFunc(list, func(f finding) bool { return f.State == "broken" }):
		return finding{"llem run", "broken", "cannot work here", ""}
	case !slices.ContainsFunc(list, gpu):
		return finding{"llem run", "ok", "works here, without an energy figure", ""}
	case slices.ContainsFunc(list, hinted):
		return finding{"llem run", "ok", "works here; whether the daemon gives GPUs to containers shows when one starts", ""}
	}
	return finding{"llem run", "ok", "works here, and measures energy", ""}
}

// gpuContainers is what doctor calls the daemon's way to give GPUs.
const gpuContainers = "gpu containers"

// dockerTimeout bounds all of doctor's words with the daemon.
const dockerTimeout = 5 * time.Second

func doctorDocker(a *app) []finding {
	ctx, cancel := context.WithTimeout(a.ctx, dockerTimeout)
	defer cancel()
	d, err := docker.Open(ctx, a.log)
	if err != nil {
		seen, remedy, _ := strings.Cut(err.Error(), "; ")
		return []finding{{"docker", "broken", seen, remedy}}
	}
	defer d.Close()
	i, err := d.Info(ctx)
	if err != nil {
		return []finding{{"docker", "broken", err.Error(), "restart the daemon: sudo systemctl restart docker"}}
	}
	out := []finding{{"docker", "ok", fmt.Sprintf("%s, API %s, runtimes %s", i.Version, i.APIVersion, strings.Join(i.Runtimes, " ")), ""}}
	if !i.Local {
		out = append(out, finding{"docker host", "lacking", "the daemon is not reached over a unix socket; energy is read on this host", "run llem on the host that has the GPUs"})
	}
	orphans, err := d.Orphans(ctx, harness.RunHeld)
	if err == nil && len(orphans) > 0 {
		out = append(out, finding{"left over", "lacking", fmt.Sprintf("%d containers of runs that were killed", len(orphans)), "llem clean"})
	}
	// Only a hint: whether a container gets a GPU shows when it starts.
	if !slices.Contains(i.Runtimes, "nvidia") && !i.CDI {
		out = append(out, finding{gpuContainers, "lacking", "the daemon lists neither an nvidia runtime nor CDI (a hint; trying decides)", "install nvidia-container-toolkit, then: sudo nvidia-ctk runtime configure --runtime=docker && sudo systemctl restart docker"})
	}
	return out
}
