package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/llenergymeasure/llem/internal/load/standin"
)

type doctorCmd struct {
	JSON bool `name:"json" help:"Print the findings as JSON."`
	Try  bool `help:"Also start a container with the GPUs, from an engine's image on this host. It is gone at the end."`

	Client     bool `help:"Instead of the host, try how many streams and tokens llem's own client can measure here, and what each costs."`
	NullServer bool `hidden:"" help:"Be the server that --client tries the client on."`
}

// finding is one line of doctor: what was looked at, how it stands, and what
// mends it.
type finding struct {
	What   string `json:"what"`
	State  string `json:"state"` // ok, optional (needed only where it is asked for), lacking (results are less or doubtful without it), or broken (run cannot work)
	Seen   string `json:"seen"`
	Remedy string `json:"remedy,omitempty"`
}

// check looks at one thing of the host, by itself, and within some seconds.
type check func(*app) []finding

// checks are all of doctor's, in the order in which they are printed.
var checks = []check{
	doctorLauncher, doctorGPUs, doctorZeusd, doctorZeus, doctorCodeCarbon,
	leftSettings, doctorGovernor, doctorHostEnergy, doctorCache, doctorHub,
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
	switch {
	case c.NullServer:
		return standin.Main(os.Stdin, a.stdout)
	case c.Client:
		return c.tell(a, doctorClient(a))
	}
	var images imagesCheck
	list := examine(a, slices.Insert(slices.Clone(checks), 1, images.look))
	list = append(list, images.fit(a, c.Try)...)
	return c.tell(a, append(list, verdict(list)))
}

// tell prints the findings, and fails where one of them is broken.
func (c *doctorCmd) tell(a *app, list []finding) error {
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

// said joins what is known, each with the word before it.
func said(pairs ...string) string {
	var out []string
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, pairs[i]+pairs[i+1])
		}
	}
	return strings.Join(out, ", ")
}

// verdict is what all findings come to.
func verdict(list []finding) finding {
	gpu := func(f finding) bool { return strings.HasPrefix(f.What, "gpu ") && f.State == "ok" }
	hinted := func(f finding) bool { return f.What == gpuContainers && f.State != "ok" }
	given := func(f finding) bool { return f.What == tried && f.State == "ok" }
	switch {
	case slices.ContainsFunc(list, func(f finding) bool { return f.State == "broken" }):
		return finding{"llem run", "broken", "cannot work here", ""}
	case !slices.ContainsFunc(list, gpu):
		return finding{"llem run", "ok", "works here, without an energy figure", ""}
	case slices.ContainsFunc(list, hinted) && !slices.ContainsFunc(list, given):
		return finding{"llem run", "ok", "works here; whether the daemon gives GPUs to containers shows when one starts", ""}
	}
	return finding{"llem run", "ok", "works here, and measures energy", ""}
}
